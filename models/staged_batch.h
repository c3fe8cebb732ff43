// A batch that has been checked and copied, with what the layers need to know of its tokens and sequences.
//
// Thread-safety: externally synchronised.
#ifndef BERTHA_MODELS_STAGED_BATCH_H_
#define BERTHA_MODELS_STAGED_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "batcher/encoder.h"
#include "models/packed_model.h"

namespace bertha::models {

class StagedBatch {
 public:
  /// INVALID_ARGUMENT, which status() keeps, for a batch that would read outside one of the model's tables.
  absl::Status Set(const batcher::PackedBatch& batch, const PackedModel& model);

  const absl::Status& status() const { return status_; }
  /// Sequences.
  size_t size() const { return cu_seqlens_.empty() ? 0 : cu_seqlens_.size() - 1; }
  size_t tokens() const { return ids_.size(); }
  const std::vector<int32_t>& ids() const { return ids_; }
  /// Readable for kRowPadding more than there are tokens.
  const std::vector<int32_t>& type_ids() const { return type_ids_; }
  const std::vector<int32_t>& cu_seqlens() const { return cu_seqlens_; }
  /// Of each token, the row of the model's positions.
  const std::vector<int32_t>& positions() const { return positions_; }
  /// The sequences, the longest first.
  const std::vector<int32_t>& order() const { return order_; }

 private:
  size_t Length(size_t sequence) const {
    return static_cast<size_t>(cu_seqlens_[sequence + 1] - cu_seqlens_[sequence]);
  }
  absl::Status Check(const PackedModel& model) const;
  void SetPositions(const PackedModel& model, size_t sequence);
  void SetOrder();

  std::vector<int32_t> ids_, type_ids_, cu_seqlens_, positions_, order_;
  absl::Status status_;
};

}  // namespace bertha::models

#endif  // BERTHA_MODELS_STAGED_BATCH_H_
