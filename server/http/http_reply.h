// The answer to one request: sent once, from any thread, as a whole (HttpReply) or piece by piece while the request's
// body is read (HttpStream).
//
// Invariants: every request is answered. A reply that is dropped unsent becomes a 500; a stream that is dropped before
// Finish becomes a 500 if nothing was sent, and is cut off otherwise, so that the client sees that it is not whole.
//
// Thread-safety: thread-safe. Callbacks run on an I/O thread of the server (or inside OnAbandoned, if it is too late)
// and must not block.
#ifndef BERTHA_SERVER_HTTP_HTTP_REPLY_H_
#define BERTHA_SERVER_HTTP_HTTP_REPLY_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "batcher/mutex.h"
#include "server/http/http_message.h"

namespace bertha::server {

/// Runs a callback when something comes before the answer, e.g. the client's going: once, or never.
class Interruption {
 public:
  /// Replaces an earlier callback. Runs it at once if it has happened already.
  void Set(std::function<void()> callback);
  /// It happens.
  void Fire();
  /// The answer is on its way: the callback is dropped. One that has begun may still be running.
  void Disarm();

 private:
  Mutex mutex_;
  bool fired_ ABSL_GUARDED_BY(mutex_) = false;
  bool disarmed_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void()> callback_ ABSL_GUARDED_BY(mutex_);
};

class HttpReply {
 public:
  using Sink = std::function<void(HttpResponse)>;
  /// Has Expire called after so long, unless Send is called before.
  using Alarm = std::function<void(std::chrono::nanoseconds)>;
  /// Made by the server (and by tests). `sink` is called once.
  explicit HttpReply(Sink sink, Alarm alarm = nullptr);
  ~HttpReply();

  /// Later calls do nothing.
  void Send(HttpResponse response);
  /// `callback` is called if the client closes the connection before Send: nobody waits for the answer, which must be
  /// sent all the same.
  void OnAbandoned(std::function<void()> callback) { abandoned_.Set(std::move(callback)); }
  /// `callback` is called if so much time passes before Send, which it may call.
  void OnLate(std::chrono::nanoseconds time, std::function<void()> callback);
  /// For the server.
  void Abandon() { abandoned_.Fire(); }
  void Expire() { late_.Fire(); }

 private:
  const Alarm alarm_;
  Mutex mutex_;
  Sink sink_ ABSL_GUARDED_BY(mutex_);
  Interruption abandoned_, late_;
};

/// Both directions at once. At most one Read and one Write are under way; no callback runs inside the call that takes
/// it.
class HttpStream {
 public:
  /// The body's next bytes, never empty; nothing at its end; an error if the client has gone or sent nonsense.
  using OnRead = std::function<void(absl::StatusOr<std::optional<std::string>>)>;
  /// False: the client has gone.
  using OnWrite = std::function<void(bool ok)>;

  /// What the server does for it; any thread.
  class Backend {
   public:
    virtual ~Backend() = default;
    virtual void Read(OnRead done) = 0;
    virtual void Begin(HttpResponse head) = 0;
    virtual void Write(std::string bytes, OnWrite done) = 0;
    virtual void Finish() = 0;
    virtual void Drop() = 0;
    virtual void Post(std::function<void()> work) = 0;
  };
  explicit HttpStream(std::shared_ptr<Backend> backend) : backend_(std::move(backend)) {}
  ~HttpStream();

  /// The server reads no faster than it is asked to: a client that is too fast is held up by flow control.
  void Read(OnRead done) { backend_->Read(std::move(done)); }
  /// Status and headers; its body is not looked at. Once, before the first Write.
  void Begin(HttpResponse head) { backend_->Begin(std::move(head)); }
  /// One chunk, not empty. `done` when the connection has taken it: a client that reads slowly holds up the writer.
  void Write(std::string bytes, OnWrite done) { backend_->Write(std::move(bytes), std::move(done)); }
  /// The answer is whole. Nothing may be called afterwards; a Read that is under way ends with an error.
  void Finish();
  /// Runs `work` soon on the thread that callbacks run on, even if the client has gone.
  void Post(std::function<void()> work) { backend_->Post(std::move(work)); }
  /// As HttpReply's, before Finish. Reads and writes fail then, too.
  void OnAbandoned(std::function<void()> callback) { abandoned_.Set(std::move(callback)); }
  /// For the server.
  void Abandon() { abandoned_.Fire(); }

 private:
  const std::shared_ptr<Backend> backend_;
  Interruption abandoned_;
  Mutex mutex_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

/// Take the request and answer it, now or later; run on an I/O thread, must not block.
using HttpHandler = std::function<void(HttpRequest, std::shared_ptr<HttpReply>)>;
using HttpStreamHandler = std::function<void(HttpRequest, std::shared_ptr<HttpStream>)>;

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_HTTP_REPLY_H_
