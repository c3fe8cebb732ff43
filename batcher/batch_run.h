// A batch on its way from the queue through an encoder to its listeners: what the encoder stages, what it returns, and
// how each request fared.
//
// One request's failure is its own: when a batch fails, its requests are run again one by one.
//
// Thread-safety: thread-compatible; belongs to one thread at a time, which hands it on. Reused, so that the steady
// state allocates nothing.
#ifndef BERTHA_BATCHER_BATCH_RUN_H_
#define BERTHA_BATCHER_BATCH_RUN_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "batcher/batch.h"
#include "batcher/clock.h"
#include "batcher/encoder.h"
#include "batcher/ending.h"
#include "batcher/request.h"

namespace bertha::batcher {

/// Looks on while forward passes run, one after the other.
class PassSupervisor {
 public:
  virtual ~PassSupervisor() = default;
  virtual void Begins() = 0;
  /// The encoder has returned. False if the pass was given up meanwhile: the requests are answered and may be gone.
  virtual bool Returns() = 0;
  /// How a pass went that was not given up, and how long it took.
  virtual void Observe(const absl::Status& status, const BatchStats& batch, Duration time) = 0;
};

class BatchRun {
 public:
  /// For the queue to fill.
  Batch batch;
  /// Requests that end without being computed: they go to their listeners the same way.
  std::vector<Ended> ended;
  /// The encoder's slot that it is staged in.
  int slot = 0;
  /// Whether it is staged there as it is; otherwise Run does it.
  bool staged = false;

  void Clear();

  /// Copies the texts, for Stage: under the queue's lock, since a request that waits may be gone at any time.
  void Pack() { Pack(0, batch.requests.size()); }
  /// Stages what was packed. What goes wrong shows when Run tries again.
  void Stage(Encoder& encoder);

  /// Runs the batch and, if that fails, its requests one by one. False if a pass was given up: nothing came of it.
  bool Run(Encoder& encoder, const Clock& clock, PassSupervisor& supervisor);

  TimePoint started() const { return started_; }
  TimePoint finished() const { return finished_; }
  /// Whether the batch failed, and its requests ran alone.
  bool ran_singly() const { return ran_singly_; }
  /// What came of request `i`; its output is a view.
  Outcome OutcomeOf(size_t i) const;

 private:
  void Pack(size_t begin, size_t end);
  PackedBatch packed() const { return {ids_, type_ids_, cu_seqlens_}; }
  void PlaceOutputs(const EncoderDescription& encoder);
  absl::Status Pass(Encoder& encoder, bool is_staged, size_t values);
  bool RunOneByOne(Encoder& encoder, const Clock& clock, PassSupervisor& supervisor);

  /// The packed copy that the encoder stages.
  std::vector<int32_t> ids_, type_ids_, cu_seqlens_;
  EncoderOutput output_;
  /// As output_.values, filled only after a failed batch, when each request ran alone.
  std::vector<float> single_values_;
  /// [requests] status of each.
  std::vector<absl::Status> statuses_;
  /// [requests + 1]: the outputs of request i begin at value value_offsets_[i].
  std::vector<size_t> value_offsets_;
  bool ran_singly_ = false;
  TimePoint started_, finished_;
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_BATCH_RUN_H_
