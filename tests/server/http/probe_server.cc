// An HTTP server for the tests: what a handler can do, each at a path of its own. It prints its port, then "name value"
// lines for what it saw; standard input takes "drain" and "stop MILLISECONDS".
//
//   http_probe_server [OPTION=VALUE...]     options as in main()
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "embedded/bertha_web_files.h"
#include "server/client_address.h"
#include "server/http/http_error.h"
#include "server/http/http_router.h"
#include "server/http/http_server.h"
#include "server/http/static_files.h"

namespace bertha::server {
namespace {

using ReplyPtr = std::shared_ptr<HttpReply>;
using StreamPtr = std::shared_ptr<HttpStream>;

void Print(const std::string& line) {
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  std::cout << line << std::endl;
}

/// A thread that answers later, as the classifier does.
class Later {
 public:
  ~Later() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  void Run(std::chrono::milliseconds after, std::function<void()> work) {
    const std::lock_guard<std::mutex> lock(mutex_);
    work_.emplace(std::chrono::steady_clock::now() + after, std::move(work));
    changed_.notify_all();
  }

 private:
  void Loop() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!stopping_) {
      if (work_.empty()) {
        changed_.wait(lock);
      } else if (work_.begin()->first > std::chrono::steady_clock::now()) {
        changed_.wait_until(lock, work_.begin()->first);
      } else {
        const auto work = work_.extract(work_.begin());
        lock.unlock();
        work.mapped()();
        lock.lock();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::multimap<std::chrono::steady_clock::time_point, std::function<void()>> work_;
  std::thread thread_{[this] { Loop(); }};
};

HttpResponse Text(std::string text) { return {.content_type = "text/plain", .body = std::move(text)}; }

int64_t NumberIn(const HttpRequest& request, const char* name, int64_t otherwise) {
  int64_t value = otherwise;
  return absl::SimpleAtoi(request.query_value(name), &value) ? value : otherwise;
}

/// All that the handler sees of the request.
void Describe(const HttpRequest& request, const ReplyPtr& reply) {
  std::string out = absl::StrCat(request.method, " ", request.path, "\n");
  for (const auto& [name, value] : request.parameters) absl::StrAppend(&out, "parameter ", name, "=", value, "\n");
  for (const auto& [name, value] : request.query) absl::StrAppend(&out, "query ", name, "=", value, "\n");
  for (const auto& [name, value] : request.headers.lines()) absl::StrAppend(&out, "header ", name, "=", value, "\n");
  absl::StrAppend(&out, "peer ", request.peer.address, " port ", request.peer.port > 0, " tls ", request.peer.tls,
                  " subject ", request.peer.certificate_subject, "\nbody ", request.body.size(), "\n");
  reply->Send(Text(out));
}

/// Sends back what comes, piece by piece; pause=MS before each piece.
struct Echo : std::enable_shared_from_this<Echo> {
  Echo(StreamPtr s, Later& l, int64_t p) : stream(std::move(s)), later(l), pause(p) {}
  void Next() {
    stream->Read([self = shared_from_this()](absl::StatusOr<std::optional<std::string>> piece) {
      if (!piece.ok()) return Print(absl::StrCat("echo-failed ", piece.status().message())), self->stream->Finish();
      if (!*piece) return self->stream->Finish();
      self->later.Run(self->pause, [self, bytes = std::move(**piece)]() mutable {
        self->stream->Write(std::move(bytes), [self](bool ok) { ok ? self->Next() : self->stream->Finish(); });
      });
    });
  }
  const StreamPtr stream;
  Later& later;
  const std::chrono::milliseconds pause;
};

/// Writes without end, and says how much was taken.
struct Flood : std::enable_shared_from_this<Flood> {
  explicit Flood(StreamPtr s) : stream(std::move(s)) {}
  void Next() {
    stream->Write(std::string(65536, 'x'), [self = shared_from_this()](bool ok) {
      if (!ok) return Print("flood-ended"), self->stream->Finish();
      self->taken += 65536;
      Print(absl::StrCat("flood ", self->taken));
      self->Next();
    });
  }
  const StreamPtr stream;
  size_t taken = 0;
};

class Probe {
 public:
  explicit Probe(CorsOrigins cors) : router_(std::move(cors)) {
    AddStaticFiles(WebFiles(), router_);
    for (const char* method : {"GET", "POST"}) {
      router_.Add(method, "/describe", [](HttpRequest request, ReplyPtr reply) { Describe(request, reply); });
    }
    router_.Add("GET", "/items/{item}:describe", [](HttpRequest r, ReplyPtr reply) { Describe(r, reply); });
    router_.Add("POST", "/echo", [](HttpRequest r, ReplyPtr reply) { reply->Send(Text(std::move(r.body))); });
    router_.Add("GET", "/big", [this](HttpRequest, ReplyPtr reply) {
      HttpResponse response = Text("");
      response.body = HttpBody::Static(big_);
      reply->Send(std::move(response));
    });
    router_.Add("GET", "/drop", [](HttpRequest, ReplyPtr) {});
    router_.Add("GET", "/busy", [](HttpRequest, ReplyPtr reply) {
      reply->Send(ErrorResponse(absl::ResourceExhaustedError("full"), std::chrono::milliseconds(1250)));
    });
    router_.Add("GET", "/later", [this](HttpRequest r, ReplyPtr reply) { Slow(r, reply); });
    router_.AddStream("POST", "/stream", [this](HttpRequest r, StreamPtr stream) {
      stream->OnAbandoned([] { Print("stream-abandoned"); });
      stream->Begin({.content_type = "application/x-ndjson"});
      std::make_shared<Echo>(stream, later_, NumberIn(r, "pause", 0))->Next();
    });
    router_.AddStream("GET", "/flood", [](HttpRequest, StreamPtr stream) { std::make_shared<Flood>(stream)->Next(); });
    router_.AddStream("POST", "/unread", [this](HttpRequest, StreamPtr stream) {
      later_.Run(std::chrono::milliseconds(500), [stream] { stream->Finish(); });
    });
    router_.AddStream("POST", "/broken", [](HttpRequest, StreamPtr stream) {
      stream->Begin({});
      stream->Write("half", [](bool) {});  // and is dropped
    });
  }

  HttpRoute Route(HttpRequest& request) const { return router_.Route(request); }

 private:
  /// Answers after ms=N, unless the client goes before, or deadline=N milliseconds pass: then at once.
  void Slow(const HttpRequest& request, const ReplyPtr& reply) {
    reply->OnAbandoned([weak = std::weak_ptr<HttpReply>(reply)] {
      Print("abandoned");
      if (const auto gone = weak.lock()) gone->Send(ErrorResponse(absl::CancelledError("the client is gone")));
    });
    if (const int64_t deadline = NumberIn(request, "deadline", 0); deadline > 0) {
      reply->OnLate(std::chrono::milliseconds(deadline), [weak = std::weak_ptr<HttpReply>(reply)] {
        if (const auto late = weak.lock()) late->Send(ErrorResponse(absl::DeadlineExceededError("too late")));
      });
    }
    later_.Run(std::chrono::milliseconds(NumberIn(request, "ms", 100)), [reply] { reply->Send(Text("late\n")); });
  }

  const std::string big_ = std::string(32 << 20, 'b');
  HttpRouter router_;
  Later later_;
};

struct Options {
  HttpServerOptions server;
  TlsFiles tls;
  std::chrono::milliseconds tls_poll{1000};
  std::string cors, trusted;
  int64_t hold_descriptors = 0;
};

/// Takes descriptors away, until few are left.
void HoldDescriptors(int64_t spare) {
  std::vector<int> held;
  for (int fd; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) held.push_back(fd);
  for (int64_t i = 0; i < spare && !held.empty(); ++i, held.pop_back()) close(held.back());
}

bool Read(const std::string& argument, Options& out) {
  const std::pair<std::string, std::string> option = absl::StrSplit(argument, absl::MaxSplits('=', 1));
  HttpServerOptions& server = out.server;
  HttpLimits& limits = server.limits;
  const std::map<std::string, size_t*> sizes = {{"threads", &server.io_threads},
                                                {"connections", &limits.max_connections},
                                                {"per_client", &limits.max_connections_per_client},
                                                {"requests", &limits.max_requests_per_connection},
                                                {"header_bytes", &limits.max_header_bytes},
                                                {"headers", &limits.max_headers},
                                                {"target_bytes", &limits.max_target_bytes},
                                                {"body_bytes", &limits.max_body_bytes},
                                                {"rate", &limits.min_bytes_per_second}};
  const std::map<std::string, std::chrono::milliseconds*> times = {{"header_timeout", &limits.header_timeout},
                                                                   {"idle_timeout", &limits.idle_timeout},
                                                                   {"stream_timeout", &limits.stream_idle_timeout},
                                                                   {"rate_window", &limits.rate_window},
                                                                   {"tls_poll", &out.tls_poll}};
  const std::map<std::string, std::string*> texts = {
      {"address", &server.address}, {"certificate", &out.tls.certificate},
      {"key", &out.tls.key},        {"client_ca", &out.tls.client_ca},
      {"cors", &out.cors},          {"trusted", &out.trusted}};
  int64_t number = 0;
  const auto& [name, value] = option;
  if (const auto it = texts.find(name); it != texts.end()) return *it->second = value, true;
  if (!absl::SimpleAtoi(value, &number)) return false;
  if (const auto it = sizes.find(name); it != sizes.end()) return *it->second = static_cast<size_t>(number), true;
  if (const auto it = times.find(name); it != times.end()) return *it->second = std::chrono::milliseconds(number), true;
  if (name == "spare_descriptors") return out.hold_descriptors = number, true;
  return false;
}

void PrintStats(const HttpStats& stats) {
  Print(absl::StrCat("stats ", stats.open_connections, " ", stats.accepted_connections, " ", stats.refused_connections,
                     " ", stats.requests, " ", stats.malformed_requests, " ", stats.timed_out_connections));
}

int Serve(const Options& options) {
  auto cors = CorsOrigins::Parse(options.cors);
  if (!cors.ok()) return Print(cors.status().ToString()), 2;
  HttpServerOptions server_options = options.server;
  auto trusted = TrustedProxies::Parse(options.trusted);
  if (!trusted.ok()) return Print(trusted.status().ToString()), 2;
  server_options.trusted_proxies = *std::move(trusted);
  if (options.tls.enabled()) {
    auto tls = TlsWatch::Open(options.tls, options.tls_poll);
    if (!tls.ok()) return Print(tls.status().ToString()), 1;
    server_options.tls = *std::move(tls);
  }
  Probe probe(*std::move(cors));
  auto server = HttpServer::Start(server_options, [&](HttpRequest& request) { return probe.Route(request); });
  if (!server.ok()) return Print(server.status().ToString()), 1;
  Print(absl::StrCat("port ", (*server)->port()));
  if (options.hold_descriptors > 0) HoldDescriptors(options.hold_descriptors);
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "drain") (*server)->BeginDrain();
    if (line == "stats") PrintStats((*server)->stats());
    int64_t grace = 0;
    if (absl::StartsWith(line, "stop ") && absl::SimpleAtoi(line.substr(5), &grace)) {
      (*server)->Stop(std::chrono::milliseconds(grace));
      break;
    }
  }
  return 0;
}

}  // namespace
}  // namespace bertha::server

int main(int argc, char** argv) {
  bertha::server::Options options;
  options.server.address = "127.0.0.1:0";
  for (int i = 1; i < argc; ++i) {
    if (bertha::server::Read(argv[i], options)) continue;
    std::cerr << "unknown option " << argv[i] << "\n";
    return 2;
  }
  return bertha::server::Serve(options);
}
