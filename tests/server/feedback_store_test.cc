#include "server/feedback/feedback_store.h"

#include <set>
#include <thread>

#include "tests/batcher/fakes.h"
#include "tests/server/feedback_fakes.h"
#include "tests/server/statuses.h"

namespace bertha::feedback {
namespace {

using absl::StatusCode;
using server::Is;
using server::Unshared;

/// Outcomes of votes, as their callers see them.
class Outcomes {
 public:
  FeedbackStore::Done Next() {
    return [this](const absl::StatusOr<int64_t>& id) {
      MutexLock lock(mutex_);
      outcomes_.push_back(id.ok() ? absl::StatusOr<int64_t>(*id) : absl::StatusOr<int64_t>(Unshared(id.status())));
      threads_.push_back(std::this_thread::get_id());
      changed_.NotifyAll();
    };
  }
  std::vector<absl::StatusOr<int64_t>> Await(size_t n) {
    MutexLock lock(mutex_);
    while (outcomes_.size() < n) changed_.Wait(mutex_);
    return outcomes_;
  }
  std::vector<std::thread::id> threads() {
    MutexLock lock(mutex_);
    return threads_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<absl::StatusOr<int64_t>> outcomes_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread::id> threads_ ABSL_GUARDED_BY(mutex_);
};

struct Fixture {
  /// `held`: the first Insert waits at the gate.
  explicit Fixture(FeedbackOptions options = {}, bool held = false) {
    options.wall_clock = [] { return int64_t{77}; };
    if (held) {
      state.on_insert = [this] { gate.Pass(); };
    }
    store = std::make_unique<FeedbackStore>(std::make_unique<FakeDatabase>(state), std::move(options), clock);
  }
  void Record(const std::string& text) { store->Record(VoteOn(text), outcomes.Next()); }
  std::vector<size_t> groups() {
    MutexLock lock(state.mutex);
    return state.groups;
  }
  std::vector<Vote> votes() {
    MutexLock lock(state.mutex);
    return state.votes;
  }

  batcher::FakeClock clock;
  batcher::Gate gate;
  FakeDatabase::State state;
  Outcomes outcomes;
  std::unique_ptr<FeedbackStore> store;
};

TEST_CASE("AVoteIsAcknowledgedOnTheStoresThreadWhenItIsThere") {
  Fixture f;
  f.Record("x");
  CHECK(f.outcomes.Await(1)[0].value() == 1);
  CHECK(f.outcomes.threads()[0] != std::this_thread::get_id());
  REQUIRE(f.votes().size() == 1);
  CHECK(f.votes()[0].text == "x");
  CHECK(f.votes()[0].time_us == 77);
  const FeedbackStore::Stats stats = f.store->stats();
  CHECK(stats.stored == 1);
  CHECK(stats.waiting == 0);
  CHECK(stats.waiting_bytes == 0);
  CHECK(stats.working);
}

TEST_CASE("AllThatWaitGoIntoOneTransactionInTheirOrder") {
  Fixture f({}, /*held=*/true);
  f.Record("first");
  f.gate.AwaitArrivals(1);
  for (int i = 0; i < 50; ++i) f.Record(absl::StrCat(i));
  f.gate.Open();
  const auto outcomes = f.outcomes.Await(51);
  CHECK(f.groups() == std::vector<size_t>{1, 50});
  for (size_t i = 0; i < outcomes.size(); ++i) CHECK(outcomes[i].value() == static_cast<int64_t>(i + 1));
  CHECK(f.votes()[50].text == "49");
  CHECK(f.store->stats().groups == 2);
}

TEST_CASE("AGroupIsBoundedInVotesAndBytes") {
  const size_t bytes = VoteOn("123").bytes();
  for (const bool by_bytes : {false, true}) {
    CAPTURE(by_bytes);
    FeedbackOptions options;
    (by_bytes ? options.max_group_bytes : options.max_group_votes) = by_bytes ? 2 * bytes : 2;
    Fixture f(options, /*held=*/true);
    f.Record("123");
    f.gate.AwaitArrivals(1);
    for (int i = 0; i < 5; ++i) f.Record("123");
    f.gate.Open();
    f.outcomes.Await(6);
    CHECK(f.groups() == std::vector<size_t>{1, 2, 2, 1});
  }
}

TEST_CASE("AFullQueueRefusesAtOnceAndWhatIsBeingWrittenCounts") {
  Fixture f({.max_waiting_votes = 3}, /*held=*/true);
  f.Record("a");
  f.gate.AwaitArrivals(1);
  f.Record("b");
  f.Record("c");
  f.Record("d");
  const auto refused = f.outcomes.Await(1);
  CHECK(Is(refused[0].status(), StatusCode::kResourceExhausted, "too many wait"));
  CHECK(f.store->stats().waiting == 3);
  CHECK(f.store->stats().refused == 1);
  f.gate.Open();
  f.outcomes.Await(4);
  f.Record("e");
  CHECK(f.outcomes.Await(5)[4].ok());
  CHECK(f.votes().size() == 4);
}

TEST_CASE("TheQueueIsBoundedInBytesButOneVoteAlwaysFits") {
  Fixture f({.max_waiting_bytes = 1000}, /*held=*/true);
  f.Record(std::string(5000, 'x'));
  f.gate.AwaitArrivals(1);
  f.Record("y");
  CHECK(Is(f.outcomes.Await(1)[0].status(), StatusCode::kResourceExhausted, "too many wait"));
  f.gate.Open();
  CHECK(f.outcomes.Await(2)[1].ok());
}

TEST_CASE("AFailingDatabaseFailsTheVotesThatItWasToStoreAndNoOthers") {
  Fixture f;
  f.Record("a");
  f.outcomes.Await(1);
  {
    MutexLock lock(f.state.mutex);
    f.state.inserts.assign(2, absl::UnavailableError("the disk is full"));
  }
  f.Record("b");
  CHECK(Is(f.outcomes.Await(2)[1].status(), StatusCode::kUnavailable, "not stored"));
  CHECK(f.store->stats().failed == 1);
  CHECK_FALSE(f.store->stats().working);
  CHECK(f.store->stats().last_error == "the disk is full");
  f.Record("c");
  CHECK(f.outcomes.Await(3)[2].ok());
  CHECK(f.store->stats().working);
  CHECK(f.votes().size() == 2);
}

TEST_CASE("ADatabaseThatComesUpLaterIsUsedFromThenOn") {
  FakeDatabase::State state;
  state.opens.assign(1, absl::UnavailableError("not yet"));
  batcher::FakeClock clock;
  Outcomes outcomes;
  FeedbackStore store(std::make_unique<FakeDatabase>(state), {}, clock);
  store.Record(VoteOn("x"), outcomes.Next());
  CHECK(Is(outcomes.Await(1)[0].status(), StatusCode::kUnavailable, "not stored"));
  clock.Advance(std::chrono::seconds(1));
  store.Wake();
  store.Record(VoteOn("y"), outcomes.Next());
  CHECK(outcomes.Await(2)[1].ok());
}

TEST_CASE("StopFinishesWhatWasAcceptedAndRefusesTheRest") {
  Fixture f({}, /*held=*/true);
  f.Record("a");
  f.gate.AwaitArrivals(1);
  for (int i = 0; i < 20; ++i) f.Record("b");
  std::thread stopper([&] { f.store->Stop(); });
  f.gate.Open();
  stopper.join();
  CHECK(f.votes().size() == 21);
  CHECK(f.outcomes.Await(21).size() == 21);
  f.Record("late");
  CHECK(Is(f.outcomes.Await(22)[21].status(), StatusCode::kUnavailable, "shutting down"));
  CHECK(f.votes().size() == 21);
}

TEST_CASE("AddressesAreKeptOnlyIfThatIsConfigured") {
  for (const bool kept : {false, true}) {
    FeedbackOptions options;
    options.store_client_address = kept;
    Fixture f(options);
    Vote vote = VoteOn("x");
    vote.client = "192.0.2.1";
    f.store->Record(vote, f.outcomes.Next());
    f.outcomes.Await(1);
    CHECK(f.votes()[0].client == (kept ? "192.0.2.1" : ""));
  }
}

TEST_CASE("ManyThreadsMayRecordAndEachVoteIsStoredOnce") {
  Fixture f;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&f, t] {
      for (int i = 0; i < 250; ++i) f.Record(absl::StrCat(t, "/", i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  f.outcomes.Await(1000);
  std::set<std::string> texts;
  for (const Vote& vote : f.votes()) texts.insert(vote.text);
  CHECK(texts.size() == 1000);
  CHECK(f.votes().size() == 1000);
}

}  // namespace
}  // namespace bertha::feedback
