#include "bench/encoder/timing.h"

#include <numeric>
#include <vector>

#include "tests/catch.h"

namespace bertha::bench {
namespace {

TEST_CASE("quantiles are values that were measured", "[timing]") {
  std::vector<double> values(100);
  std::iota(values.rbegin(), values.rend(), 1);  // 100, 99, ..., 1
  const Summary summary = Summarize(values);
  CHECK(summary.count == 100);
  CHECK(summary.min == 1);
  CHECK(summary.p10 == 10);
  CHECK(summary.median == 50);
  CHECK(summary.p90 == 90);
  CHECK(summary.p99 == 99);
}

TEST_CASE("of few values p99 is the largest", "[timing]") {
  CHECK(Summarize({3, 1, 2}).p99 == 3);
  CHECK(Summarize({3, 1, 2}).median == 2);
  CHECK(Summarize({5}).p10 == 5);
  CHECK(Summarize({}).count == 0);
}

/// Counts passes, and fails from one of them on.
class FakeEncoder final : public batcher::Encoder {
 public:
  const batcher::EncoderDescription& Describe() const override { return description_; }
  absl::Status Stage(const batcher::PackedBatch&, int) override { return absl::OkStatus(); }
  absl::Status Run(int, batcher::EncoderOutput&) override {
    return ++passes == fails_at ? absl::InternalError("broken") : absl::OkStatus();
  }

  int passes = 0, fails_at = 0;

 private:
  batcher::EncoderDescription description_;
};

TEST_CASE("a turn without time is one pass, which counts", "[timing]") {
  FakeEncoder encoder;
  const auto passes = TimePasses(encoder, {}, 0);
  REQUIRE(passes.ok());
  CHECK(passes->size() == 1);
  CHECK(encoder.passes == 1);
}

TEST_CASE("in a turn of many passes the first does not count", "[timing]") {
  FakeEncoder encoder;
  const auto passes = TimePasses(encoder, {}, 0.01);
  REQUIRE(passes.ok());
  REQUIRE(encoder.passes > 2);
  CHECK(static_cast<int>(passes->size()) == encoder.passes - 1);
}

TEST_CASE("a pass that fails ends the turn with its error", "[timing]") {
  for (const int fails_at : {1, 2, 3}) {
    FakeEncoder encoder;
    encoder.fails_at = fails_at;
    const auto passes = TimePasses(encoder, {}, 60);
    CHECK(passes.status().message() == "broken");
    CHECK(encoder.passes == fails_at);
  }
}

}  // namespace
}  // namespace bertha::bench
