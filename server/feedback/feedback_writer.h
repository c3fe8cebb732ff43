// What the feedback store's thread does with its database: opens it, stores groups of votes, deletes old ones, and gets
// over its failures. No threads, no waiting; the times are the clock's.
//
// While the database cannot be opened, votes fail at once and it is tried again after 250 ms, 500 ms, … 30 s. A group
// that fails while it is open is tried once more on a new connection: Database::Insert promises that nothing of it is
// there then.
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_SERVER_FEEDBACK_FEEDBACK_WRITER_H_
#define BERTHA_SERVER_FEEDBACK_FEEDBACK_WRITER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "batcher/clock.h"
#include "server/feedback/database.h"

namespace bertha::feedback {

struct WriterOptions {
  /// Votes that are older are deleted. 0: none.
  int64_t retention_days = 0;
  /// Votes deleted in one transaction: votes that are to be stored wait for no more.
  size_t delete_portion = 500;
  /// From one search for old votes to the next.
  std::chrono::seconds retention_interval{3600};
  /// From one attempt to open the database to the next: doubled up to the longest.
  std::chrono::milliseconds shortest_backoff{250};
  std::chrono::milliseconds longest_backoff{30'000};
};

/// Microseconds since 1970-01-01 UTC.
using WallClock = std::function<int64_t()>;

class FeedbackWriter {
 public:
  FeedbackWriter(std::unique_ptr<Database> database, WriterOptions options, const batcher::Clock& clock,
                 WallClock wall_clock);

  /// Does one thing that is due, if any: opens the database, or deletes a portion.
  void Maintain();
  /// When Maintain is to be called next; max(): not before something has been written.
  batcher::TimePoint Due() const;

  /// Stores the votes, if possible in one transaction. The outcome of each, in their order: its id, UNAVAILABLE, or
  /// INVALID_ARGUMENT. The messages are for callers and tell nothing about the database; error() does.
  std::vector<absl::StatusOr<int64_t>> Write(absl::Span<const Vote> votes);

  bool open() const { return open_; }
  /// Why the last attempt failed; OK after one that did not.
  const absl::Status& error() const { return error_; }
  uint64_t deleted() const { return deleted_; }

 private:
  void TryOpen();
  void DeleteOld();
  absl::StatusOr<std::vector<int64_t>> InsertOrRetry(absl::Span<const Vote> votes);
  void Succeeded();
  void Failed(const absl::Status& status);

  const std::unique_ptr<Database> database_;
  const WriterOptions options_;
  const batcher::Clock& clock_;
  const WallClock wall_clock_;
  bool open_ = false;
  absl::Status error_;
  bool failed_to_open_ = false;
  batcher::TimePoint next_open_;
  batcher::Duration backoff_;
  batcher::TimePoint next_deletion_;
  uint64_t deleted_ = 0;
  /// As it was at the end of the last search.
  uint64_t deleted_before_ = 0;
};

}  // namespace bertha::feedback

#endif  // BERTHA_SERVER_FEEDBACK_FEEDBACK_WRITER_H_
