#include "batcher/batch_run.h"

#include <algorithm>
#include <exception>

#include "absl/strings/str_cat.h"

namespace bertha::batcher {
namespace {

/// Calls an encoder step; what it throws becomes a Status, since nothing may leave a worker thread.
template <class Step>
absl::Status Guarded(Step&& step) {
  try {
    return step();
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("the engine threw: ", error.what()));
  } catch (...) {
    return absl::InternalError("the engine threw something that is no exception");
  }
}

size_t RowsOf(const Request& request, const EncoderDescription& encoder) {
  return encoder.row_per_token ? request.ids.size() : 1;
}

absl::Status CheckShape(const EncoderOutput& output, size_t rows, size_t width) {
  if (output.rows == rows && output.width == width && output.values.size() >= rows * width) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("the engine returned [", output.rows, ", ", output.width, "], expected [", rows, ", ", width, "]"));
}

}  // namespace

void BatchRun::Clear() {
  batch.Clear();
  statuses_.clear();
  ended.clear();
  ran_singly_ = false;
  started_ = finished_ = TimePoint();
}

/// Packs requests [begin, end) of the batch.
void BatchRun::Pack(size_t begin, size_t end) {
  ids_.clear();
  type_ids_.clear();
  cu_seqlens_.assign(1, 0);
  for (size_t i = begin; i < end; ++i) {
    const Request& request = *batch.requests[i];
    ids_.insert(ids_.end(), request.ids.begin(), request.ids.end());
    type_ids_.insert(type_ids_.end(), request.type_ids.begin(), request.type_ids.end());
    cu_seqlens_.push_back(static_cast<int32_t>(ids_.size()));
  }
}

void BatchRun::PlaceOutputs(const EncoderDescription& encoder) {
  value_offsets_.assign(1, 0);
  for (const Request* request : batch.requests) {
    value_offsets_.push_back(value_offsets_.back() + RowsOf(*request, encoder) * encoder.output_width);
  }
}

void BatchRun::Stage(Encoder& encoder) {
  staged = Guarded([&] { return encoder.Stage(packed(), slot); }).ok();
}

/// A forward pass of what was packed, and `is_staged` or not, which should give so many values.
absl::Status BatchRun::Pass(Encoder& encoder, bool is_staged, size_t values) {
  absl::Status status = Guarded([&] {
    if (!is_staged) {
      if (absl::Status failed = encoder.Stage(packed(), slot); !failed.ok()) return failed;
    }
    return encoder.Run(slot, output_);
  });
  const size_t width = encoder.Describe().output_width;
  if (status.ok()) status = CheckShape(output_, values / width, width);
  return status;
}

bool BatchRun::Run(Encoder& encoder, const Clock& clock, PassSupervisor& supervisor) {
  const size_t n = batch.requests.size();
  PlaceOutputs(encoder.Describe());
  started_ = clock.Now();
  if (!staged) Pack();
  supervisor.Begins();
  const absl::Status status = Pass(encoder, staged, value_offsets_[n]);
  if (!supervisor.Returns()) return false;
  statuses_.assign(n, status);
  supervisor.Observe(status, batch.stats, clock.Now() - started_);
  if (!status.ok() && n > 1 && !RunOneByOne(encoder, clock, supervisor)) return false;
  finished_ = clock.Now();
  return true;
}

bool BatchRun::RunOneByOne(Encoder& encoder, const Clock& clock, PassSupervisor& supervisor) {
  const size_t n = batch.requests.size();
  ran_singly_ = true;
  single_values_.assign(value_offsets_[n], 0);
  for (size_t i = 0; i < n; ++i) {
    absl::Status& status = statuses_[i];
    if (batch.requests[i]->deadline <= clock.Now()) {
      status = absl::DeadlineExceededError("the deadline passed before the request could be run again");
      continue;
    }
    const size_t at = value_offsets_[i], size = value_offsets_[i + 1] - at;
    Pack(i, i + 1);
    const TimePoint began = clock.Now();
    supervisor.Begins();
    status = Pass(encoder, false, size);
    if (!supervisor.Returns()) return false;
    const auto tokens = static_cast<uint32_t>(batch.requests[i]->ids.size());
    supervisor.Observe(status, {.size = 1, .tokens = tokens, .padded_tokens = tokens}, clock.Now() - began);
    if (!status.ok()) continue;
    std::copy_n(output_.values.begin(), size, single_values_.begin() + static_cast<ptrdiff_t>(at));
  }
  return true;
}

Outcome BatchRun::OutcomeOf(size_t i) const {
  Outcome outcome{statuses_[i], {}, started_, finished_, batch.stats};
  if (!outcome.status.ok()) return outcome;
  outcome.output = std::span(ran_singly_ ? single_values_ : output_.values)
                       .subspan(value_offsets_[i], value_offsets_[i + 1] - value_offsets_[i]);
  return outcome;
}

}  // namespace bertha::batcher
