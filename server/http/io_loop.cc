#include "server/http/io_loop.h"

#include <pthread.h>
#include <signal.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "batcher/mutex.h"

namespace bertha::server {
namespace {

namespace asio = boost::asio;

struct Ticker {
  asio::steady_timer timer;
  std::chrono::milliseconds period;
  std::function<void()> tick;
  bool stopped = false;  // the timer may have run out already when it is cancelled

  void Arm() {
    timer.expires_after(period);
    timer.async_wait([this](boost::system::error_code error) {
      if (error || stopped) return;
      tick();
      Arm();
    });
  }
  void Stop() {
    stopped = true;
    timer.cancel();
  }
};

class OneShot final : public IoLoop::Timer {
 public:
  OneShot(asio::io_context& io, batcher::TimePoint when, std::function<void()> work)
      : work_(std::make_shared<std::function<void()>>(std::move(work))), timer_(io, when) {
    // The time may have come already when it is called off.
    timer_.async_wait([weak = std::weak_ptr(work_)](boost::system::error_code) {
      if (const auto wanted = weak.lock()) (*wanted)();
    });
  }

 private:
  const std::shared_ptr<std::function<void()>> work_;
  asio::steady_timer timer_;
};

}  // namespace

struct IoLoop::State {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  std::optional<Ticker> ticker;
  std::thread thread;
  Mutex mutex;
  bool stopped ABSL_GUARDED_BY(mutex) = false;
};

IoLoop::IoLoop() : state_(std::make_unique<State>()) {}
IoLoop::~IoLoop() { Stop(); }

asio::io_context& IoLoop::context() { return state_->io; }

void IoLoop::Start() {
  state_->thread = std::thread([this] {
    // OpenSSL writes to sockets without MSG_NOSIGNAL: a client that has gone must not end the process.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    state_->io.run();
  });
}

void IoLoop::Post(std::function<void()> work) {
  MutexLock lock(state_->mutex);
  if (!state_->stopped) asio::post(state_->io, std::move(work));
}

std::unique_ptr<IoLoop::Timer> IoLoop::At(batcher::TimePoint when, std::function<void()> work) {
  return std::make_unique<OneShot>(state_->io, when, std::move(work));
}

void IoLoop::Every(std::chrono::milliseconds period, std::function<void()> tick) {
  state_->ticker.emplace(Ticker{asio::steady_timer(state_->io), period, std::move(tick)});
  state_->ticker->Arm();
}

void IoLoop::Stop() {
  {
    MutexLock lock(state_->mutex);
    if (std::exchange(state_->stopped, true)) return;
    asio::post(state_->io, [this] {
      if (state_->ticker) state_->ticker->Stop();
    });
    state_->work.reset();
  }
  if (state_->thread.joinable()) {
    state_->thread.join();
  } else {
    state_->io.poll();
  }
}

}  // namespace bertha::server
