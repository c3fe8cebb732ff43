// The judge of connections, their table, when to look at it, and listening sockets.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/connection_judge.h"
#include "server/connection_table.h"
#include "server/listening_sockets.h"
#include "server/look_schedule.h"
#include "tests/catch.h"

namespace bertha::server {
namespace {

using std::chrono::milliseconds;
constexpr batcher::TimePoint kStart{std::chrono::hours(1)};

TEST_CASE("AConnectionThatResetsTooManyStreamsIsFound") {
  ConnectionJudge judge({.max_resets_per_second = 1000});
  CHECK_FALSE(judge.Judge({.streams_started = 900, .streams_failed = 900}, kStart));
  CHECK_FALSE(judge.Judge({.streams_started = 1900, .streams_failed = 1900}, kStart + milliseconds(1000)));
  CHECK(judge.Judge({.streams_started = 3100, .streams_failed = 3100}, kStart + milliseconds(1100)));
}

TEST_CASE("CancellingAtTheRateThatIsAllowedGoesOnForEver") {
  ConnectionJudge judge({.max_resets_per_second = 1000});
  for (uint64_t i = 0; i < 1000; ++i) {
    CHECK_FALSE(judge.Judge({.streams_started = 100 * i, .streams_failed = 100 * i}, kStart + milliseconds(100 * i)));
  }
}

TEST_CASE("StreamsThatTheServerHasNotLetGoOfCountAsOpen") {
  ConnectionJudge judge({.max_resets_per_second = 1000, .max_open_streams = 100});
  CHECK_FALSE(judge.Judge({.streams_started = 1100}, kStart));
  CHECK_FALSE(judge.Judge({.streams_started = 2100, .streams_succeeded = 1000}, kStart));
  CHECK(judge.Judge({.streams_started = 2101, .streams_succeeded = 1000}, kStart));
}

TEST_CASE("ZeroAllowsAnyNumberOfResets") {
  ConnectionJudge judge({.max_resets_per_second = 0});
  CHECK_FALSE(judge.Judge({.streams_started = 1'000'000, .streams_failed = 1'000'000}, kStart));
}

TEST_CASE("BytesThatMakeNoMessageAreFoundAfterAWholeMessageForEachOpenStreamOrThree") {
  const ConnectionJudge::Options options = {.max_idle_bytes = 1000, .max_message_bytes = 5000};
  const std::vector<std::pair<uint64_t, uint64_t>> most_of_open = {{0, 1000},   {1, 16'000}, {3, 16'000},
                                                                   {4, 21'000}, {8, 41'000}, {9, 41'000}};
  for (const auto& [open, most] : most_of_open) {
    ConnectionJudge judge(options);
    CHECK_FALSE(judge.Judge({.bytes_received = most, .streams_started = open}, kStart));
    CHECK(judge.Judge({.bytes_received = most + 1, .streams_started = open}, kStart));
  }
}

TEST_CASE("MessagesAndStreamsThatEndMakeRoomForMoreBytes") {
  const ConnectionJudge::Options options = {.max_idle_bytes = 1000, .max_message_bytes = 5000};
  ConnectionJudge receives(options), refuses(options);
  for (uint64_t i = 1; i < 100; ++i) {
    CHECK_FALSE(receives.Judge({.bytes_received = 900 * i, .messages_received = i}, kStart));
    CHECK_FALSE(
        refuses.Judge({.bytes_received = 15'000 * i, .streams_started = i + 1, .streams_succeeded = i}, kStart));
  }
}

TEST_CASE("WithoutConnectionsThereIsNothingToLookAt") {
  LookSchedule schedule;
  CHECK(schedule.next() == batcher::TimePoint::max());
  schedule.Soon(kStart);
  CHECK(schedule.next() == kStart + LookSchedule::kOften);
  schedule.OnLook(kStart, kStart, /*active=*/true, /*any=*/false);
  CHECK(schedule.next() == batcher::TimePoint::max());
}

TEST_CASE("QuietConnectionsAreLookedAtEverMoreSeldomUntilSomethingComes") {
  LookSchedule schedule;
  std::vector<int64_t> waits;
  const auto look = [&](bool active) {
    schedule.OnLook(kStart, kStart, active, /*any=*/true);
    waits.push_back(std::chrono::duration_cast<milliseconds>(schedule.next() - kStart).count());
  };
  for (const bool active : {true, false, false, false, false, false, true, true}) look(active);
  CHECK(waits == std::vector<int64_t>{50, 100, 200, 400, 500, 500, 50, 50});
}

TEST_CASE("ANewConnectionIsLookedAtSoonAlthoughTheOthersAreQuiet") {
  LookSchedule schedule;
  for (int i = 0; i < 5; ++i) schedule.OnLook(kStart, kStart, /*active=*/false, /*any=*/true);
  schedule.Soon(kStart + milliseconds(100));
  CHECK(schedule.next() == kStart + milliseconds(150));
  schedule.Soon(kStart + milliseconds(140));  // does not put it off
  CHECK(schedule.next() == kStart + milliseconds(150));
}

TEST_CASE("LookingTakesAFortiethOfACoreAtMost") {
  LookSchedule schedule;
  schedule.OnLook(kStart - milliseconds(10), kStart, /*active=*/true, /*any=*/true);
  CHECK(schedule.next() == kStart + milliseconds(400));
  schedule.Soon(kStart);
  CHECK(schedule.next() == kStart + milliseconds(400));
}

/// Connects to 127.0.0.1:`port`, from 127.0.0.`source`.
int Connect(int port, int source) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xffu) + static_cast<uint32_t>(source));
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  return fd;
}

/// Both ends of a connection.
struct Pair {
  explicit Pair(const ListeningSockets& sockets, int source = 1) : client(Connect(sockets.port(), source)) {
    while ((server = accept(sockets.fds().front(), nullptr, nullptr)) < 0) {
    }
  }
  ~Pair() {
    close(client);
    close(server);
  }
  int client, server = -1;
};

/// Sends `text`, and waits until the server could read it.
void Send(const Pair& pair, const std::string& text) {
  REQUIRE(write(pair.client, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  char byte;
  REQUIRE(recv(pair.server, &byte, 1, MSG_PEEK) == 1);
}

const auto kNothing = [](int, uint64_t, ConnectionTable::Connection&) {};

TEST_CASE("AListenerTakesTheAddressForItselfAndSaysItsPort") {
  const auto sockets = ListeningSockets::Open("127.0.0.1:0");
  REQUIRE(sockets.ok());
  CHECK(sockets->port() > 0);
}

TEST_CASE("AnAddressThatCannotBeHadIsNamedWithTheReason") {
  const auto taken = ListeningSockets::Open("127.0.0.1:0");
  REQUIRE(taken.ok());
  const std::string its_address = absl::StrCat("127.0.0.1:", taken->port());
  const std::vector<std::pair<std::string, std::string>> reasons = {
      {its_address, absl::StrCat("cannot listen on ", its_address, ": Address already in use")},
      {absl::StrCat("0.0.0.0:", taken->port()), "Address already in use"},
      {"192.0.2.1:0", "cannot listen on 192.0.2.1:0: Cannot assign requested address"},  // TEST-NET-1 is nobody's
      {"no.such.host.invalid:0", "cannot listen on no.such.host.invalid:0: "},
      {"nobody", "\"nobody\" is not host:port"}};
  for (const auto& [address, reason] : reasons) {
    const auto sockets = ListeningSockets::Open(address);
    CHECK(sockets.status().code() == absl::StatusCode::kUnavailable);
    CHECK_THAT(std::string(sockets.status().message()), Catch::Contains(reason));
  }
}

TEST_CASE("AnyAddressIncludesIpv4") {
  const auto sockets = ListeningSockets::Open("0.0.0.0:0");
  REQUIRE(sockets.ok());
  const Pair pair(*sockets);
  ConnectionTable table({});
  REQUIRE(table.Add(pair.server).ok());
  Send(pair, std::string(8192, 'x'));
  std::string peer;
  table.Sweep([&](int, uint64_t, ConnectionTable::Connection& connection) { peer = connection.peer; });
  CHECK_THAT(peer, Catch::StartsWith("ipv4:127.0.0.1:"));
}

TEST_CASE("ConnectionsBeyondTheLimitAreRefusedUntilOneIsClosed") {
  const auto sockets = ListeningSockets::Open("127.0.0.1:0");
  for (const bool per_client : {false, true}) {
    auto first = std::make_unique<Pair>(*sockets);
    const Pair second(*sockets), third(*sockets);
    ConnectionTable table(per_client ? ConnectionTable::Options{.max_per_client = 2}
                                     : ConnectionTable::Options{.max_connections = 2});
    CHECK(table.Add(first->server).ok());
    CHECK(table.Add(second.server).ok());
    const absl::Status refused = table.Add(third.server);
    CHECK(refused.code() == absl::StatusCode::kResourceExhausted);
    CHECK_THAT(std::string(refused.message()),
               Catch::Contains(per_client ? "limits.max_connections_per_client" : "limits.max_connections:"));
    first.reset();
    CHECK(table.Add(third.server).ok());
    CHECK(table.size() == 2);
  }
}

TEST_CASE("AClientThatClosedOneOfItsConnectionsMayOpenAnotherAtOnceHoweverManyOthersThereAre") {
  const auto sockets = ListeningSockets::Open("127.0.0.1:0");
  ConnectionTable table({.max_per_client = 2});
  std::vector<std::unique_ptr<Pair>> pairs;
  for (size_t i = 0; i < 4 * ConnectionTable::kVisitedAtOnce; ++i) {
    pairs.push_back(std::make_unique<Pair>(*sockets, /*source=*/static_cast<int>(1 + i / 2)));
    REQUIRE(table.Add(pairs.back()->server).ok());
  }
  const Pair another(*sockets, /*source=*/100);
  CHECK_FALSE(table.Add(another.server).ok());
  pairs[2 * 99].reset();
  CHECK(table.Add(another.server).ok());
  const Pair one_more(*sockets, /*source=*/100);
  CHECK_FALSE(table.Add(one_more.server).ok());
}

TEST_CASE("ADescriptorThatIsGivenAgainIsAnotherConnection") {
  const auto sockets = ListeningSockets::Open("127.0.0.1:0");
  ConnectionTable table({});
  int fd;
  {
    const Pair pair(*sockets);
    fd = pair.server;
    CHECK(table.Add(fd).ok());
  }
  table.Sweep(kNothing);
  CHECK(table.size() == 0);
}

/// A table of so many connections.
struct Many {
  explicit Many(size_t count) : sockets(ListeningSockets::Open("127.0.0.1:0")) {
    for (size_t i = 0; i < count; ++i) {
      pairs.push_back(std::make_unique<Pair>(*sockets));
      REQUIRE(table.Add(pairs.back()->server).ok());
    }
  }
  const absl::StatusOr<ListeningSockets> sockets;
  ConnectionTable table{{}};
  std::vector<std::unique_ptr<Pair>> pairs;
};

TEST_CASE("OneOfManyThatReceivedSomethingIsLookedAtAtOnceWhetherOrNotItWasReadAlready") {
  Many many(8 * ConnectionTable::kVisitedAtOnce);
  many.table.Sweep(kNothing);
  for (const bool read_already : {false, true}) {
    const Pair& busy = *many.pairs.back();  // it would be visited last
    std::string text(8192, 'x');
    Send(busy, text);
    const auto read = [&] { REQUIRE(recv(busy.server, text.data(), text.size(), MSG_WAITALL) == 8192); };
    if (read_already) read();
    std::vector<int> seen;
    many.table.Sweep([&](int fd, uint64_t bytes, ConnectionTable::Connection& connection) {
      connection.judge.Judge({.bytes_received = bytes}, kStart);
      seen.push_back(fd);
    });
    CHECK(seen == std::vector<int>{busy.server});
    if (!read_already) read();
  }
}

TEST_CASE("OneThatReadsNothingIsFoundInTurnAlthoughWhatItSentWasReadAlready") {
  Many many(3 * ConnectionTable::kVisitedAtOnce);
  const Pair& busy = *many.pairs.back();
  std::string text(1 << 16, 'x');
  while (send(busy.server, text.data(), text.size(), MSG_DONTWAIT) > 0) {
  }
  many.table.Sweep(kNothing);
  Send(busy, text.substr(0, 8192));
  REQUIRE(recv(busy.server, text.data(), 8192, MSG_WAITALL) == 8192);
  std::vector<int> seen;
  const auto look = [&](int fd, uint64_t, ConnectionTable::Connection&) { seen.push_back(fd); };
  for (int i = 0; i < 3; ++i) many.table.Sweep(look);
  CHECK(seen == std::vector<int>{busy.server});
}

TEST_CASE("ManyClosedConnectionsAreForgottenInTurnAndNoOpenOne") {
  Many many(3 * ConnectionTable::kVisitedAtOnce);
  for (size_t i = 1; i < many.pairs.size(); ++i) many.pairs[i].reset();
  many.table.Sweep(kNothing);
  CHECK(many.table.size() > ConnectionTable::kVisitedAtOnce);
  CHECK(many.table.Peers().size() == many.table.size());
  for (int i = 0; i < 3; ++i) many.table.Sweep(kNothing);
  CHECK(many.table.size() == 1);
  CHECK(many.table.Find(many.pairs[0]->server) != nullptr);
}

TEST_CASE("BytesThatComeInSmallPartsAddUpUntilTheyAreWorthALook") {
  const auto sockets = ListeningSockets::Open("127.0.0.1:0");
  const Pair pair(*sockets);
  ConnectionTable table({});
  REQUIRE(table.Add(pair.server).ok());
  std::vector<uint64_t> seen;
  std::string buffer(3000, 'x');
  for (int i = 0; i < 4; ++i) {
    REQUIRE(write(pair.client, buffer.data(), buffer.size()) == 3000);
    REQUIRE(recv(pair.server, buffer.data(), buffer.size(), MSG_WAITALL) == 3000);
    table.Sweep([&](int, uint64_t bytes, ConnectionTable::Connection& connection) {
      connection.judge.Judge({.bytes_received = bytes}, kStart);
      seen.push_back(bytes);
    });
  }
  CHECK(seen == std::vector<uint64_t>{6000, 12'000});
}

TEST_CASE("OnlyConnectionsThatReceivedSomethingAreLookedAtAndCanBeEnded") {
  const auto sockets = ListeningSockets::Open("127.0.0.1:0");
  const Pair quiet(*sockets), busy(*sockets);
  ConnectionTable table({});
  REQUIRE(table.Add(quiet.server).ok());
  REQUIRE(table.Add(busy.server).ok());
  Send(busy, std::string(8192, 'x'));
  char byte;
  std::vector<int> seen;
  table.Sweep([&](int fd, uint64_t bytes, ConnectionTable::Connection& connection) {
    CHECK(bytes == 8192);
    connection.judge.Judge({.bytes_received = bytes}, kStart);
    ConnectionTable::ShutDown(fd, connection);
    ConnectionTable::ShutDown(quiet.server, connection);  // whose cookie is another
    seen.push_back(fd);
  });
  CHECK(seen == std::vector<int>{busy.server});
  CHECK(recv(busy.client, &byte, 1, 0) == 0);
  CHECK(recv(quiet.client, &byte, 1, MSG_DONTWAIT) == -1);
  table.Sweep([](int, uint64_t, ConnectionTable::Connection&) { FAIL("nothing new has come"); });
}

}  // namespace
}  // namespace bertha::server
