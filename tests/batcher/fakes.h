// A clock that stands still until told, an encoder that computes something checkable, and a listener that remembers.
#ifndef BERTHA_TESTS_BATCHER_FAKES_H_
#define BERTHA_TESTS_BATCHER_FAKES_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "batcher/clock.h"
#include "batcher/encoder.h"
#include "batcher/mutex.h"
#include "batcher/request.h"

namespace bertha::batcher {

class FakeClock final : public Clock {
 public:
  TimePoint Now() const override { return TimePoint(Duration(now_.load())); }
  void Advance(Duration by) { now_ += by.count(); }

 private:
  std::atomic<int64_t> now_{std::chrono::nanoseconds(std::chrono::hours(1)).count()};
};

/// Row = {sum of ids, number of tokens}, or for each token {id, its place in the sequence}: wrong packing or mixed-up
/// rows show.
class FakeEncoder : public Encoder {
 public:
  explicit FakeEncoder(bool pads = false, bool row_per_token = false) {
    description_ = {.engine = "fake",
                    .device = "none",
                    .dtype = "fp32",
                    .max_sequence_length = 64,
                    .output_width = 2,
                    .row_per_token = row_per_token,
                    .pads = pads};
  }
  const EncoderDescription& Describe() const override { return description_; }

  absl::Status Stage(const PackedBatch& batch, int slot) override {
    Staged& staged = staged_[slot];
    staged.ids.assign(batch.ids.begin(), batch.ids.end());
    staged.offsets.assign(batch.cu_seqlens.begin(), batch.cu_seqlens.end());
    stagings += 1;
    return absl::OkStatus();
  }

  absl::Status Run(int slot, EncoderOutput& output) override {
    const Staged& staged = staged_[slot];
    if (on_run) {
      if (absl::Status status = on_run(staged.ids); !status.ok()) return status;
    }
    const size_t sequences = staged.offsets.size() - 1;
    output.rows = description_.row_per_token ? staged.ids.size() : sequences;
    output.width = 2;
    output.values.clear();
    for (size_t i = 0; i < sequences; ++i) {
      float sum = 0;
      for (int32_t t = staged.offsets[i]; t < staged.offsets[i + 1]; ++t) {
        sum += static_cast<float>(staged.ids[t]);
        if (!description_.row_per_token) continue;
        output.values.push_back(static_cast<float>(staged.ids[t]));
        output.values.push_back(static_cast<float>(t - staged.offsets[i]));
      }
      if (description_.row_per_token) continue;
      output.values.push_back(sum);
      output.values.push_back(static_cast<float>(staged.offsets[i + 1] - staged.offsets[i]));
    }
    batch_sizes.push_back(sequences);
    output.rows -= rows_withheld;
    return absl::OkStatus();
  }

  /// Called before each forward pass with the batch's ids; may block, fail or throw.
  std::function<absl::Status(const std::vector<int32_t>&)> on_run;
  size_t rows_withheld = 0;
  std::atomic<int> stagings{0};
  /// Read it only when nothing runs.
  std::vector<size_t> batch_sizes;

 private:
  struct Staged {
    std::vector<int32_t> ids, offsets;
  };
  EncoderDescription description_;
  Staged staged_[kSlots];
};

/// A door that threads wait at until it is opened.
class Gate {
 public:
  void Open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  void Pass() {
    MutexLock lock(mutex_);
    arrived_ += 1;
    changed_.NotifyAll();
    while (!open_) changed_.Wait(mutex_);
  }
  void AwaitArrivals(int n) {
    MutexLock lock(mutex_);
    while (arrived_ < n) changed_.Wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  int arrived_ ABSL_GUARDED_BY(mutex_) = 0;
};

/// Remembers every outcome; counts how often each request ended.
class Recorder final : public Listener {
 public:
  struct Ended {
    int times = 0;
    absl::Status status;
    std::vector<float> output;
    BatchStats batch;
  };
  void OnDone(Request& request, const Outcome& outcome) override {
    if (on_done) on_done(request);
    MutexLock lock(mutex_);
    Ended& ended = ended_[&request];
    ended.times += 1;
    ended.status = outcome.status;
    ended.output.assign(outcome.output.begin(), outcome.output.end());
    ended.batch = outcome.batch;
    total_ += 1;
    changed_.NotifyAll();
  }
  void Await(size_t n) {
    MutexLock lock(mutex_);
    while (total_ < n) changed_.Wait(mutex_);
  }
  size_t total() {
    MutexLock lock(mutex_);
    return total_;
  }
  Ended operator[](const Request& request) {
    MutexLock lock(mutex_);
    return ended_[&request];
  }
  std::function<void(Request&)> on_done;

 private:
  Mutex mutex_;
  CondVar changed_;
  std::map<const Request*, Ended> ended_ ABSL_GUARDED_BY(mutex_);
  size_t total_ ABSL_GUARDED_BY(mutex_) = 0;
};

/// A request of `length` tokens, all with id `id`.
struct TestRequest {
  TestRequest(int32_t id, size_t length, Listener* listener = nullptr, ModelId model = 0)
      : ids(length, id), type_ids(length, 0) {
    request.model = model;
    request.ids = ids;
    request.type_ids = type_ids;
    request.listener = listener;
  }
  TestRequest(const TestRequest&) = delete;
  Request* get() { return &request; }

  std::vector<int32_t> ids, type_ids;
  Request request;
};

}  // namespace bertha::batcher

#endif  // BERTHA_TESTS_BATCHER_FAKES_H_
