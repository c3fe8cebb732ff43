#include "server/http/io_loop.h"

#include <chrono>
#include <future>
#include <memory>

#include "tests/catch.h"

namespace bertha::server {
namespace {

using std::chrono::milliseconds;

TEST_CASE("ALoopStopsAlthoughItsTimerHasJustRunOut") {
  IoLoop loop;
  loop.Every(milliseconds(1), [] {});
  loop.Start();
  std::promise<void> busy;
  loop.Post([&] {
    busy.set_value();
    const auto until = std::chrono::steady_clock::now() + milliseconds(20);
    while (std::chrono::steady_clock::now() < until) {
    }
  });
  busy.get_future().wait();
  loop.Stop();  // would never return if the timer were armed again
  SUCCEED();
}

TEST_CASE("ATimerRunsAtItsTimeUnlessItIsCalledOff") {
  IoLoop loop;
  loop.Start();
  std::unique_ptr<IoLoop::Timer> kept, dropped, overtaken;
  std::promise<batcher::TimePoint> ran;
  int called_off = 0;
  const auto when = std::chrono::steady_clock::now() + milliseconds(20);
  loop.Post([&] {
    dropped = loop.At(when - milliseconds(5), [&] { called_off += 1; });
    overtaken = loop.At(when - milliseconds(20), [&] { called_off += 1; });
    kept = loop.At(when, [&] { ran.set_value(std::chrono::steady_clock::now()); });
    overtaken.reset();  // its time has come already
    dropped.reset();
  });
  CHECK(ran.get_future().get() >= when);
  loop.Post([&] { kept.reset(); });
  loop.Stop();
  CHECK(called_off == 0);
}

TEST_CASE("WhatIsPostedToAStoppedLoopIsDropped") {
  IoLoop loop;
  loop.Start();
  int ran = 0;
  loop.Post([&] { ran += 1; });
  loop.Stop();
  CHECK(ran == 1);
  auto held = std::make_shared<int>(0);
  loop.Post([&ran, held] { ran += 1; });
  CHECK(ran == 1);
  CHECK(held.use_count() == 1);
}

}  // namespace
}  // namespace bertha::server
