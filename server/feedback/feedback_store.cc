#include "server/feedback/feedback_store.h"

#include <chrono>
#include <utility>

namespace bertha::feedback {
namespace {

using batcher::TimePoint;

FeedbackOptions WithClock(FeedbackOptions options) {
  if (!options.wall_clock) options.wall_clock = SystemMicros;
  return options;
}

}  // namespace

int64_t SystemMicros() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
}

FeedbackStore::FeedbackStore(std::unique_ptr<Database> database, FeedbackOptions options, const batcher::Clock& clock)
    : options_(WithClock(std::move(options))),
      clock_(clock),
      writer_(std::move(database), options_.writer, clock, options_.wall_clock),
      thread_([this] { Loop(); }) {}

FeedbackStore::~FeedbackStore() { Stop(); }

void FeedbackStore::Record(Vote vote, Done done) {
  vote.time_us = options_.wall_clock();
  if (!options_.store_client_address) vote.client.clear();
  const size_t bytes = vote.bytes();
  absl::Status refusal;
  {
    MutexLock lock(mutex_);
    const bool full = stats_.waiting >= options_.max_waiting_votes ||
                      (stats_.waiting > 0 && stats_.waiting_bytes + bytes > options_.max_waiting_bytes);
    if (stopping_) {
      refusal = absl::UnavailableError("the vote is not stored: the server is shutting down; try another one");
    } else if (full) {
      refusal = absl::ResourceExhaustedError("the vote is not stored: too many wait for the database; try again later");
      stats_.refused += 1;
    } else {
      stats_.waiting += 1;
      stats_.waiting_bytes += bytes;
      queue_.push_back({std::move(vote), std::move(done), bytes});
      changed_.NotifyAll();
      return;
    }
  }
  done(refusal);
}

void FeedbackStore::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

FeedbackStore::Stats FeedbackStore::stats() const {
  MutexLock lock(mutex_);
  return stats_;
}

void FeedbackStore::Wake() {
  MutexLock lock(mutex_);
  woken_ = true;
  changed_.NotifyAll();
}

void FeedbackStore::Loop() {
  std::vector<Vote> votes;
  std::vector<Done> done;
  size_t bytes = 0;
  while (TakeGroup(writer_.Due(), votes, done, bytes)) {
    if (!votes.empty()) WriteGroup(votes, done, bytes);
    writer_.Maintain();  // after each group too: votes that keep coming do not hold up retention
    MutexLock lock(mutex_);
    NoteWriter();
  }
}

bool FeedbackStore::TakeGroup(TimePoint due, std::vector<Vote>& votes, std::vector<Done>& done, size_t& bytes) {
  votes.clear();
  done.clear();
  bytes = 0;
  MutexLock lock(mutex_);
  while (queue_.empty() && !stopping_ && !woken_ && clock_.Now() < due) {
    if (due == TimePoint::max()) {
      changed_.Wait(mutex_);
    } else {
      changed_.WaitUntil(mutex_, std::chrono::steady_clock::now() + (due - clock_.Now()));
    }
  }
  woken_ = false;
  if (queue_.empty()) return !stopping_;
  while (!queue_.empty() && votes.size() < options_.max_group_votes &&
         (votes.empty() || bytes + queue_.front().bytes <= options_.max_group_bytes)) {
    bytes += queue_.front().bytes;
    votes.push_back(std::move(queue_.front().vote));
    done.push_back(std::move(queue_.front().done));
    queue_.pop_front();
  }
  return true;
}

void FeedbackStore::WriteGroup(const std::vector<Vote>& votes, const std::vector<Done>& done, size_t bytes) {
  const std::vector<absl::StatusOr<int64_t>> outcomes = writer_.Write(votes);
  uint64_t stored = 0;
  for (const absl::StatusOr<int64_t>& outcome : outcomes) stored += outcome.ok();
  {
    MutexLock lock(mutex_);
    stats_.stored += stored;
    stats_.failed += outcomes.size() - stored;
    stats_.groups += stored > 0;
    stats_.waiting -= votes.size();
    stats_.waiting_bytes -= bytes;
    NoteWriter();
  }
  for (size_t i = 0; i < done.size(); ++i) done[i](outcomes[i]);
}

void FeedbackStore::NoteWriter() {
  stats_.working = writer_.open() && writer_.error().ok();
  stats_.last_error = std::string(writer_.error().message());
  stats_.deleted = writer_.deleted();
}

}  // namespace bertha::feedback
