#include "models/staged_batch.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "models/kernels/cpu/row_kernels.h"

namespace bertha::models {

absl::Status StagedBatch::Set(const batcher::PackedBatch& batch, const PackedModel& model) {
  ids_.assign(batch.ids.begin(), batch.ids.end());
  type_ids_.assign(batch.type_ids.begin(), batch.type_ids.end());
  type_ids_.resize(ids_.size() + kRowPadding);  // attention reads whole vectors
  cu_seqlens_.assign(batch.cu_seqlens.begin(), batch.cu_seqlens.end());
  status_ = Check(model);
  if (!status_.ok()) return status_;
  positions_.resize(ids_.size());
  for (size_t i = 0; i < size(); ++i) SetPositions(model, i);
  SetOrder();
  return status_;
}

absl::Status StagedBatch::Check(const PackedModel& model) const {
  for (size_t i = 0; i < size(); ++i) {
    if (Length(i) <= model.max_length) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("sequence ", i, " has ", Length(i), " tokens, at most ", model.max_length, " are possible"));
  }
  for (const int32_t id : ids_) {
    if (id >= 0 && static_cast<size_t>(id) < model.words.rows()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("token id ", id, " is not in the vocabulary of ", model.words.rows()));
  }
  if (model.types.empty()) return absl::OkStatus();
  for (const int32_t type : type_ids_) {
    if (type >= 0 && static_cast<size_t>(type) < model.types.rows()) continue;
    return absl::InvalidArgumentError(absl::StrCat("type id ", type, " is not below ", model.types.rows()));
  }
  return absl::OkStatus();
}

void StagedBatch::SetPositions(const PackedModel& model, size_t sequence) {
  const auto first = static_cast<int32_t>(model.first_position);
  int32_t next = first;
  for (auto i = static_cast<size_t>(cu_seqlens_[sequence]); i < static_cast<size_t>(cu_seqlens_[sequence + 1]); ++i) {
    positions_[i] = ids_[i] == model.skipped_id ? first - 1 : next++;
  }
}

void StagedBatch::SetOrder() {
  order_.resize(size());
  std::iota(order_.begin(), order_.end(), 0);
  // Not stable_sort, which allocates.
  std::ranges::sort(order_, [this](int32_t a, int32_t b) {
    const size_t length_a = Length(static_cast<size_t>(a)), length_b = Length(static_cast<size_t>(b));
    return length_a != length_b ? length_a > length_b : a < b;
  });
}

}  // namespace bertha::models
