#include "server/channelz.h"

#include <arpa/inet.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/catch.h"

namespace bertha::server {
namespace {

/// A client that has sent what an HTTP/2 connection begins with, and no more.
class SilentClient {
 public:
  explicit SilentClient(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    const std::string hello("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 24 + 9);
    REQUIRE(write(fd_, hello.data(), hello.size()) == static_cast<ssize_t>(hello.size()));
  }
  ~SilentClient() { close(fd_); }

  std::string peer() const {
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    REQUIRE(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    return absl::StrCat("ipv4:127.0.0.1:", ntohs(address.sin_port));
  }

 private:
  const int fd_;
};

bool IsFoundInTime(Channelz& channelz, const std::string& peer) {
  for (int i = 0; i < 1000; ++i) {
    if (channelz.ActivityOf(peer)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

TEST_CASE("ConnectionsAreFoundByTheirPeerAndThoseThatNobodyAsksForAreForgotten") {
  grpc::CallbackGenericService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterCallbackGenericService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  REQUIRE(server);
  Channelz channelz;
  {
    const SilentClient first(port), second(port);
    REQUIRE(IsFoundInTime(channelz, first.peer()));
    REQUIRE(IsFoundInTime(channelz, second.peer()));
    CHECK(channelz.ActivityOf(first.peer())->streams_started == 0);
    CHECK_FALSE(channelz.ActivityOf("ipv4:127.0.0.1:1"));
    CHECK(channelz.size() == 2);

    const std::string peer = first.peer();
    channelz.ForgetAllBut({peer});
    CHECK(channelz.size() == 1);
    CHECK(channelz.ActivityOf(peer));
    CHECK_FALSE(channelz.ActivityOf(second.peer()));  // it is not new to gRPC, and looked for among the new ones only
  }
  server->Shutdown();
}

}  // namespace
}  // namespace bertha::server
