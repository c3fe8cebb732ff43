#include "server/http/http_reply.h"

#include <utility>

#include "server/http/http_error.h"

namespace bertha::server {

void Interruption::Set(std::function<void()> callback) {
  {
    MutexLock lock(mutex_);
    if (disarmed_) return;
    if (!fired_) {
      std::swap(callback_, callback);
      return;
    }
  }
  callback();
}

void Interruption::Fire() {
  std::function<void()> callback;
  {
    MutexLock lock(mutex_);
    if (fired_ || disarmed_) return;
    fired_ = true;
    callback = std::exchange(callback_, nullptr);
  }
  if (callback) callback();
}

void Interruption::Disarm() {
  std::function<void()> callback;  // destroyed without the lock
  MutexLock lock(mutex_);
  disarmed_ = true;
  callback = std::exchange(callback_, nullptr);
}

HttpReply::HttpReply(Sink sink, Alarm alarm) : alarm_(std::move(alarm)), sink_(std::move(sink)) {}

HttpReply::~HttpReply() { Send(ErrorResponse(absl::InternalError("the request was dropped without an answer"))); }

void HttpReply::Send(HttpResponse response) {
  Sink sink;
  {
    MutexLock lock(mutex_);
    sink = std::exchange(sink_, nullptr);
  }
  if (!sink) return;
  abandoned_.Disarm();
  late_.Disarm();
  sink(std::move(response));
}

void HttpReply::OnLate(std::chrono::nanoseconds time, std::function<void()> callback) {
  late_.Set(std::move(callback));
  if (alarm_) alarm_(time);
}

HttpStream::~HttpStream() {
  MutexLock lock(mutex_);
  if (!finished_) backend_->Drop();
}

void HttpStream::Finish() {
  {
    MutexLock lock(mutex_);
    if (std::exchange(finished_, true)) return;
  }
  abandoned_.Disarm();
  backend_->Finish();
}

}  // namespace bertha::server
