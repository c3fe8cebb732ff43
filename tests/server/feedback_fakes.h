// A feedback database in memory that fails as told, votes, and a folder that is removed again.
#ifndef BERTHA_TESTS_SERVER_FEEDBACK_FAKES_H_
#define BERTHA_TESTS_SERVER_FEEDBACK_FAKES_H_

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "batcher/mutex.h"
#include "server/feedback/database.h"

namespace bertha::feedback {

/// Its state may be looked at under its mutex while another thread uses the database, and without it while none does.
class FakeDatabase final : public Database {
 public:
  struct State {
    Mutex mutex;
    /// Outcomes of the next calls; OK when there are no more.
    std::vector<absl::Status> opens, inserts;
    int opened = 0;
    std::vector<size_t> groups;
    std::vector<Vote> votes;
    /// DeleteOlderThan's arguments.
    std::vector<int64_t> deletions;
    size_t old_votes = 0;
    /// Called at the beginning of each Insert.
    std::function<void()> on_insert;
  };
  explicit FakeDatabase(State& state) : state_(state) {}

  absl::Status Open() override {
    MutexLock lock(state_.mutex);
    state_.opened += 1;
    return Next(state_.opens);
  }
  /// A vote whose text is "poison" is refused, with its group.
  absl::StatusOr<std::vector<int64_t>> Insert(absl::Span<const Vote> votes) override {
    if (state_.on_insert) state_.on_insert();
    MutexLock lock(state_.mutex);
    state_.groups.push_back(votes.size());
    if (absl::Status status = Next(state_.inserts); !status.ok()) return status;
    for (const Vote& vote : votes) {
      if (vote.text == "poison") return absl::InvalidArgumentError("poison");
    }
    std::vector<int64_t> ids;
    for (const Vote& vote : votes) {
      state_.votes.push_back(vote);
      ids.push_back(static_cast<int64_t>(state_.votes.size()));
    }
    return ids;
  }
  absl::StatusOr<size_t> DeleteOlderThan(int64_t time_us, size_t most) override {
    MutexLock lock(state_.mutex);
    state_.deletions.push_back(time_us);
    const size_t deleted = std::min(state_.old_votes, most);
    state_.old_votes -= deleted;
    return deleted;
  }
  absl::StatusOr<std::vector<StoredVote>> Read(const VoteFilter&, int64_t, size_t) override {
    return absl::UnimplementedError("");
  }

 private:
  static absl::Status Next(std::vector<absl::Status>& outcomes) {
    if (outcomes.empty()) return absl::OkStatus();
    const absl::Status first = outcomes.front();
    outcomes.erase(outcomes.begin());
    return absl::Status(first.code(), first.message());
  }
  State& state_;
};

inline Vote VoteOn(const std::string& text, const std::string& model = "m", Verdict verdict = Verdict::kRight) {
  return {.time_us = 1'000'000,
          .text = text,
          .model = model,
          .version = 1,
          .label = "good",
          .score = 0.9f,
          .verdict = verdict};
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "bertha_feedback_XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace bertha::feedback

#endif  // BERTHA_TESTS_SERVER_FEEDBACK_FAKES_H_
