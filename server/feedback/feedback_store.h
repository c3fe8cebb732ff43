// Keeps votes, off the path of requests: one thread owns the database, before it is a bounded queue.
//
//   Record ─▶ queue ─▶ all that wait, in one transaction ─▶ commit ─▶ done(id) for each
//
// A vote whose `done` got an id is in the database and survives whatever happens to this process. One whose `done` got
// an error is not (but see postgres_database.h for a process that ends while a commit's outcome is unknown).
//
// Thread-safety: thread-safe.
#ifndef BERTHA_SERVER_FEEDBACK_FEEDBACK_STORE_H_
#define BERTHA_SERVER_FEEDBACK_FEEDBACK_STORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "batcher/clock.h"
#include "batcher/mutex.h"
#include "server/feedback/database.h"
#include "server/feedback/feedback_writer.h"
#include "server/feedback/vote.h"

namespace bertha::feedback {

struct FeedbackOptions {
  /// Most votes, and most bytes of them, that wait or are being written; beyond it Record refuses. A single vote is
  /// taken however large it is.
  size_t max_waiting_votes = 10'000;
  size_t max_waiting_bytes = 64 << 20;
  /// Most votes, and about most bytes, of one transaction: what a commit that fails takes with it.
  size_t max_group_votes = 1000;
  size_t max_group_bytes = 8 << 20;
  /// Keep the addresses of those who vote.
  bool store_client_address = false;
  WriterOptions writer;
  /// For the times of votes and for retention.
  WallClock wall_clock;
};

/// Microseconds of the system's clock.
int64_t SystemMicros();

class FeedbackStore {
 public:
  /// The vote's id, or RESOURCE_EXHAUSTED (more votes than the database takes), UNAVAILABLE (it does not work now, or
  /// the store was stopped), INVALID_ARGUMENT (it refuses this vote). Called exactly once: with an id always on the
  /// store's thread, with an error there or on the caller's, before Record returns. Must not block, and not call Stop.
  using Done = std::function<void(const absl::StatusOr<int64_t>&)>;

  /// `clock` outlives the store. The database is opened on the store's thread.
  FeedbackStore(std::unique_ptr<Database> database, FeedbackOptions options, const batcher::Clock& clock);
  ~FeedbackStore();

  /// Never blocks. Sets `time_us`.
  void Record(Vote vote, Done done);

  /// Writes what was accepted, then ends the thread; from now on Record refuses. May take as long as the database's
  /// timeouts.
  void Stop();

  struct Stats {
    /// Since the start: votes that were stored; refused because too many waited; failed because of the database;
    /// deleted because of their age.
    uint64_t stored = 0, refused = 0, failed = 0, deleted = 0;
    /// Transactions that stored them.
    uint64_t groups = 0;
    /// Votes that wait or are being written, and their bytes.
    size_t waiting = 0, waiting_bytes = 0;
    /// The last attempt to open the database, or to write to it, succeeded.
    bool working = false;
    /// Why not. For operators: it names the database.
    std::string last_error;
  };
  Stats stats() const;

  /// Makes the thread look at the clock; for tests whose clock does not run.
  void Wake();

 private:
  struct Pending {
    Vote vote;
    Done done;
    size_t bytes = 0;
  };

  void Loop();
  /// Waits for votes, for Stop, or until `due`. Then up to a group of votes. False: nothing is left to do, ever.
  bool TakeGroup(batcher::TimePoint due, std::vector<Vote>& votes, std::vector<Done>& done, size_t& bytes);
  void WriteGroup(const std::vector<Vote>& votes, const std::vector<Done>& done, size_t bytes);
  void NoteWriter() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const FeedbackOptions options_;
  const batcher::Clock& clock_;
  FeedbackWriter writer_;  // the thread's

  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Pending> queue_ ABSL_GUARDED_BY(mutex_);
  Stats stats_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace bertha::feedback

#endif  // BERTHA_SERVER_FEEDBACK_FEEDBACK_STORE_H_
