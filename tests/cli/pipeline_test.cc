#include "clients/cli/pipeline.h"

#include <latch>
#include <string>
#include <vector>

#include "tests/catch.h"

namespace bertha::cli {
namespace {

/// Chunks of one input each, numbered from 0 to `count` - 1.
class Source {
 public:
  explicit Source(size_t count) : count_(count) {}
  absl::StatusOr<Chunk> Read() {
    Chunk chunk;
    if (read_ < count_) chunk = {.inputs = {{.index = read_}}, .end_bytes = ++read_};
    return chunk;
  }
  size_t read() const { return read_; }

 private:
  const size_t count_;
  size_t read_ = 0;
};

Outcome Answered(const Chunk& chunk) { return {.end_bytes = chunk.end_bytes}; }

std::vector<uint64_t> OneTo(uint64_t n) {
  std::vector<uint64_t> numbers;
  for (uint64_t i = 1; i <= n; ++i) numbers.push_back(i);
  return numbers;
}

TEST_CASE("Everything read is written, once and in reading order") {
  for (const size_t workers : {1, 3, 8}) {
    Source source(500);
    std::vector<uint64_t> written;
    const auto status = RunPipeline(workers, {.read = [&] { return source.Read(); },
                                              .answer = [](Chunk chunk) { return Answered(chunk); },
                                              .write = [&](Outcome o) { written.push_back(o.end_bytes); }});
    CHECK(status.ok());
    CHECK(written == OneTo(500));
  }
}

TEST_CASE("As many chunks as there are workers are answered at the same time") {
  Source source(4);
  std::latch all_four(4);  // the run hangs if they do not meet
  size_t written = 0;
  CHECK(RunPipeline(4, {.read = [&] { return source.Read(); },
                        .answer =
                            [&](Chunk chunk) {
                              all_four.arrive_and_wait();
                              return Answered(chunk);
                            },
                        .write = [&](Outcome) { ++written; }})
            .ok());
  CHECK(written == 4);
}

TEST_CASE("Order holds when the first chunk is answered last, and reading waits for it") {
  constexpr size_t kWorkers = 2, kWindow = 4 * kWorkers;
  Source source(100);
  std::latch all_but_the_first(kWindow - 1);
  size_t read_when_first_was_answered = 0;
  std::vector<uint64_t> written;
  CHECK(RunPipeline(kWorkers, {.read = [&] { return source.Read(); },
                               .answer =
                                   [&](Chunk chunk) {
                                     if (chunk.inputs[0].index == 0) {
                                       all_but_the_first.wait();
                                       read_when_first_was_answered = source.read();
                                     } else if (chunk.inputs[0].index < kWindow) {
                                       all_but_the_first.count_down();
                                     }
                                     return Answered(chunk);
                                   },
                               .write = [&](Outcome o) { written.push_back(o.end_bytes); }})
            .ok());
  CHECK(written == OneTo(100));
  CHECK(read_when_first_was_answered == kWindow);
}

TEST_CASE("An answer is written while the source keeps the next chunk waiting") {
  std::latch first_written(1);
  bool first = true;
  const auto status = RunPipeline(2, {.read = [&]() -> absl::StatusOr<Chunk> {
                                        if (first) {
                                          first = false;
                                          return Chunk{.inputs = {{.index = 0}}};
                                        }
                                        first_written.wait();  // hangs if writing waited for reading
                                        return Chunk{};
                                      },
                                      .answer = [](Chunk chunk) { return Answered(chunk); },
                                      .write = [&](Outcome) { first_written.count_down(); }});
  CHECK(status.ok());
}

TEST_CASE("A read error ends the run after the chunks before it are written") {
  Source source(3);
  size_t written = 0;
  const auto status = RunPipeline(2, {.read = [&]() -> absl::StatusOr<Chunk> {
                                        if (source.read() == 3) return absl::DataLossError("disk");
                                        return source.Read();
                                      },
                                      .answer = [](Chunk chunk) { return Answered(chunk); },
                                      .write = [&](Outcome) { ++written; }});
  CHECK(absl::IsDataLoss(status));
  CHECK(written == 3);
}

}  // namespace
}  // namespace bertha::cli
