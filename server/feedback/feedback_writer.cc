#include "server/feedback/feedback_writer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace bertha::feedback {
namespace {

using batcher::TimePoint;

constexpr int64_t kMicrosPerDay = int64_t{86'400} * 1'000'000;

absl::Status NotStored() {
  return absl::UnavailableError("the vote is not stored: the feedback database takes none now; try again later");
}

absl::Status Refused() {
  return absl::InvalidArgumentError("the vote is not stored: the feedback database refuses it");
}

}  // namespace

FeedbackWriter::FeedbackWriter(std::unique_ptr<Database> database, WriterOptions options, const batcher::Clock& clock,
                               WallClock wall_clock)
    : database_(std::move(database)),
      options_(options),
      clock_(clock),
      wall_clock_(std::move(wall_clock)),
      next_open_(clock.Now()),
      backoff_(options.shortest_backoff),
      next_deletion_(clock.Now()) {}

TimePoint FeedbackWriter::Due() const {
  if (!open_) return next_open_;
  return options_.retention_days > 0 ? next_deletion_ : TimePoint::max();
}

void FeedbackWriter::Maintain() {
  if (clock_.Now() < Due()) return;
  if (open_) {
    DeleteOld();
  } else {
    TryOpen();
  }
}

void FeedbackWriter::TryOpen() {
  if (absl::Status status = database_->Open(); !status.ok()) {
    Failed(status);
    failed_to_open_ = true;
    next_open_ = clock_.Now() + backoff_;
    backoff_ = std::min<batcher::Duration>(backoff_ * 2, options_.longest_backoff);
    return;
  }
  open_ = true;
  backoff_ = options_.shortest_backoff;
  if (std::exchange(failed_to_open_, false)) Succeeded();  // an error of writing stays until something is written
}

void FeedbackWriter::DeleteOld() {
  const int64_t oldest = wall_clock_() - options_.retention_days * kMicrosPerDay;
  const absl::StatusOr<size_t> deleted = database_->DeleteOlderThan(oldest, options_.delete_portion);
  if (!deleted.ok()) {
    next_deletion_ = clock_.Now() + options_.longest_backoff;
    return Failed(deleted.status());
  }
  deleted_ += *deleted;
  if (*deleted == options_.delete_portion) {  // there may be more, after the votes that wait
    next_deletion_ = clock_.Now();
    return;
  }
  next_deletion_ = clock_.Now() + options_.retention_interval;
  if (const uint64_t now = deleted_ - std::exchange(deleted_before_, deleted_); now > 0) {
    spdlog::info("feedback: {} votes were older than {} days and are deleted", now, options_.retention_days);
  }
}

std::vector<absl::StatusOr<int64_t>> FeedbackWriter::Write(absl::Span<const Vote> votes) {
  if (!open_) Maintain();
  const absl::StatusOr<std::vector<int64_t>> ids =
      open_ ? InsertOrRetry(votes) : absl::StatusOr<std::vector<int64_t>>(error_);
  if (ids.ok()) return std::vector<absl::StatusOr<int64_t>>(ids->begin(), ids->end());
  if (!absl::IsInvalidArgument(ids.status())) return std::vector<absl::StatusOr<int64_t>>(votes.size(), NotStored());
  if (votes.size() == 1) return {Refused()};
  std::vector<absl::StatusOr<int64_t>> outcomes;  // one of them spoils the group
  for (const Vote& vote : votes) outcomes.push_back(Write({&vote, 1})[0]);
  return outcomes;
}

absl::StatusOr<std::vector<int64_t>> FeedbackWriter::InsertOrRetry(absl::Span<const Vote> votes) {
  absl::StatusOr<std::vector<int64_t>> ids = database_->Insert(votes);
  if (absl::IsUnavailable(ids.status())) {
    TryOpen();
    if (!open_) return error_;
    ids = database_->Insert(votes);
  }
  if (ids.ok()) {
    Succeeded();
  } else if (absl::IsInvalidArgument(ids.status())) {
    spdlog::warn("feedback: a vote is refused: {}", std::string(ids.status().message()));
  } else {
    Failed(ids.status());
  }
  return ids;
}

void FeedbackWriter::Succeeded() {
  if (error_.ok()) return;
  spdlog::info("feedback: the database works again");
  error_ = absl::OkStatus();
}

void FeedbackWriter::Failed(const absl::Status& status) {
  if (status.message() != error_.message()) {
    spdlog::error("feedback: votes are not stored (inference goes on): {}", std::string(status.message()));
  }
  error_ = status;
  open_ = false;
  next_open_ = clock_.Now();
}

}  // namespace bertha::feedback
