#include "server/http/http_reply.h"

#include <utility>

#include "server/http/http_error.h"

namespace bertha::server {

void Abandonment::Set(std::function<void()> callback) {
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

void Abandonment::Fire() {
  std::function<void()> callback;
  {
    MutexLock lock(mutex_);
    if (fired_ || disarmed_) return;
    fired_ = true;
    callback = std::exchange(callback_, nullptr);
  }
  if (callback) callback();
}

void Abandonment::Disarm() {
  std::function<void()> callback;  // destroyed without the lock
  MutexLock lock(mutex_);
  disarmed_ = true;
  callback = std::exchange(callback_, nullptr);
}

HttpReply::HttpReply(Sink sink) : sink_(std::move(sink)) {}

HttpReply::~HttpReply() { Send(ErrorResponse(absl::InternalError("the request was dropped without an answer"))); }

void HttpReply::Send(HttpResponse response) {
  Sink sink;
  {
    MutexLock lock(mutex_);
    sink = std::exchange(sink_, nullptr);
  }
  if (!sink) return;
  abandonment_.Disarm();
  sink(std::move(response));
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
  abandonment_.Disarm();
  backend_->Finish();
}

}  // namespace bertha::server
