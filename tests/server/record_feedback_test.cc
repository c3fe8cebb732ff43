#include "server/record_feedback.h"

#include <limits>

#include "tests/server/feedback_fakes.h"
#include "tests/server/fixture.h"

namespace bertha::server {
namespace {

using absl::StatusCode;
using feedback::FakeDatabase;
using feedback::FeedbackStore;

v1::RecordFeedbackRequest Good() {
  v1::RecordFeedbackRequest request;
  request.mutable_input()->set_text("I love it");
  request.set_model("known");
  request.set_version(1);
  request.set_label("positive");
  request.set_score(0.5f);
  request.set_verdict(v1::VERDICT_RIGHT);
  return request;
}

struct Fixture {
  Fixture() : table("") {
    table.SetFailed({"known", 3}, "its package was refused");
    store = std::make_unique<FeedbackStore>(std::make_unique<FakeDatabase>(state), feedback::FeedbackOptions(), clock);
  }
  /// Waits for the outcome.
  absl::Status Record(const v1::RecordFeedbackRequest& request, FeedbackStore* to) {
    Mutex mutex;
    CondVar changed;
    bool ended = false;
    absl::Status outcome;
    RecordFeedback(to, table, {.max_text_bytes = 100}, request, {"192.0.2.1", "r-1"}, response,
                   [&](const absl::Status& status) {
                     MutexLock lock(mutex);
                     outcome = Unshared(status);
                     ended = true;
                     changed.NotifyAll();
                   });
    MutexLock lock(mutex);
    while (!ended) changed.Wait(mutex);
    return outcome;
  }
  absl::Status Record(const v1::RecordFeedbackRequest& request) { return Record(request, store.get()); }

  batcher::FakeClock clock;
  ModelTable table;
  FakeDatabase::State state;
  std::unique_ptr<FeedbackStore> store;
  v1::RecordFeedbackResponse response;
};

TEST_CASE("AVoteIsStoredAsItWasSent") {
  Fixture f;
  v1::RecordFeedbackRequest request = Good();
  request.set_version(2);  // replaced meanwhile
  request.set_verdict(v1::VERDICT_WRONG);
  request.set_correct_label("negative");
  request.mutable_input()->set_text_pair("");
  REQUIRE(f.Record(request).ok());
  CHECK(f.response.id() == 1);
  MutexLock lock(f.state.mutex);
  const feedback::Vote& vote = f.state.votes.at(0);
  CHECK(vote.text == "I love it");
  CHECK(vote.text_pair == "");
  CHECK(vote.model == "known");
  CHECK(vote.version == 2);
  CHECK(vote.label == "positive");
  CHECK(vote.score == 0.5f);
  CHECK(vote.verdict == feedback::Verdict::kWrong);
  CHECK(vote.correct_label == "negative");
  CHECK(vote.request_id == "r-1");
  CHECK(vote.client.empty());
  CHECK(vote.time_us > 0);
}

TEST_CASE("WithoutAStoreTheSettingIsNamed") {
  Fixture f;
  CHECK(Is(f.Record(Good(), nullptr), StatusCode::kFailedPrecondition, "feedback.database is not set"));
}

TEST_CASE("AVoteThatMakesNoSenseIsRefusedAndTheFieldNamed") {
  using Request = v1::RecordFeedbackRequest;
  const struct {
    void (*spoil)(Request&);
    StatusCode code;
    std::string message;
  } cases[] = {
      {[](Request& r) { r.clear_input(); }, StatusCode::kInvalidArgument, "input: is missing"},
      {[](Request& r) { r.mutable_input()->set_text(""); }, StatusCode::kInvalidArgument, "input.text: is empty"},
      {[](Request& r) { r.mutable_input()->set_text(std::string(101, 'x')); }, StatusCode::kInvalidArgument,
       "input.text: has 101 bytes, at most 100"},
      {[](Request& r) { r.mutable_input()->set_text_pair(std::string(101, 'x')); }, StatusCode::kInvalidArgument,
       "input.text_pair: has 101 bytes"},
      {[](Request& r) { r.mutable_input()->set_text(std::string("a\0b", 3)); }, StatusCode::kInvalidArgument,
       "input.text: has a NUL character at byte 1"},
      {[](Request& r) { r.set_label(std::string("\0", 1)); }, StatusCode::kInvalidArgument, "label: has a NUL"},
      {[](Request& r) { r.set_label(std::string(257, 'x')); }, StatusCode::kInvalidArgument, "label: has 257 bytes"},
      {[](Request& r) { r.set_model(std::string(257, 'x')); }, StatusCode::kInvalidArgument, "model: has 257 bytes"},
      {[](Request& r) { r.set_correct_label(std::string(257, 'x')); }, StatusCode::kInvalidArgument,
       "correct_label: has 257 bytes"},
      {[](Request& r) { r.set_model(""); }, StatusCode::kInvalidArgument, "model: is missing"},
      {[](Request& r) { r.set_version(0); }, StatusCode::kInvalidArgument, "version: is missing"},
      {[](Request& r) { r.set_version(-1); }, StatusCode::kInvalidArgument, "version: is missing"},
      {[](Request& r) { r.set_model("unknown"); }, StatusCode::kNotFound, "no model of this name"},
      {[](Request& r) { r.clear_verdict(); }, StatusCode::kInvalidArgument, "verdict: is not set"},
      {[](Request& r) { r.set_verdict(static_cast<v1::Verdict>(9)); }, StatusCode::kInvalidArgument, "verdict: "},
      {[](Request& r) { r.set_correct_label("x"); }, StatusCode::kInvalidArgument, "only goes with verdict"},
      {[](Request& r) { r.set_score(std::numeric_limits<float>::quiet_NaN()); }, StatusCode::kInvalidArgument,
       "score: is not a finite number"},
      {[](Request& r) { r.set_score(-std::numeric_limits<float>::infinity()); }, StatusCode::kInvalidArgument,
       "score: is not a finite number"},
  };
  Fixture f;
  for (const auto& [spoil, code, message] : cases) {
    Request request = Good();
    spoil(request);
    CHECK(Is(f.Record(request), code, message));
  }
  CHECK(f.store->stats().stored == 0);
}

TEST_CASE("WhatTheModelCannotHaveAnsweredIsRefusedWhileItServes") {
  using Request = v1::RecordFeedbackRequest;
  const auto serving = [](models::Task task, models::ProblemType type) {
    auto model = std::make_shared<ServingModel>();
    model->key = {"known", 1};
    model->manifest.task = task;
    model->manifest.problem_type = type;
    model->manifest.labels = {"positive", "negative"};
    return model;
  };
  const auto with = [](float score, const std::string& label) {
    Request request = Good();
    request.set_score(score);
    request.set_label(label);
    return request;
  };
  using models::ProblemType, models::Task;
  Fixture f;
  f.table.SetServing(serving(Task::kSequenceClassification, ProblemType::kSingleLabel));
  const std::string labels = "label: is none of this model's; its labels are positive, negative";
  CHECK(Is(f.Record(with(-3, "positive")), StatusCode::kInvalidArgument, "score: is -3; this model's are from 0 to 1"));
  CHECK(Is(f.Record(with(1.5f, "positive")), StatusCode::kInvalidArgument, "score: is 1.5"));
  CHECK(Is(f.Record(with(0.5f, "great")), StatusCode::kInvalidArgument, labels));
  CHECK(Is(f.Record(with(0.5f, "")), StatusCode::kInvalidArgument, labels));
  CHECK(f.store->stats().stored == 0);
  Request wrong = with(1, "negative");
  wrong.set_verdict(v1::VERDICT_WRONG);
  wrong.set_correct_label("neutral");  // which it should have had
  CHECK(f.Record(wrong).ok());
  CHECK(f.Record(with(0, "positive")).ok());
  Request replaced = with(-3, "great");
  replaced.set_version(2);
  CHECK(f.Record(replaced).ok());

  f.table.SetServing(serving(Task::kSequenceClassification, ProblemType::kRegression));
  CHECK(f.Record(with(-3, "positive")).ok());
  f.table.SetServing(serving(Task::kTokenClassification, ProblemType::kSingleLabel));
  CHECK(f.Record(with(0.5f, "DISH")).ok());  // of "B-DISH"
  CHECK(Is(f.Record(with(-3, "DISH")), StatusCode::kInvalidArgument, "score: "));
}

TEST_CASE("AMessageNamesTwentyLabelsAtMost") {
  auto model = std::make_shared<ServingModel>();
  model->key = {"known", 1};
  for (int i = 0; i < 21; ++i) model->manifest.labels.push_back("l" + std::to_string(i));
  Fixture f;
  f.table.SetServing(std::move(model));
  CHECK(Is(f.Record(Good()), StatusCode::kInvalidArgument, "l18, l19, ..."));
}

TEST_CASE("TheStoresErrorReachesTheCaller") {
  Fixture f;
  {
    MutexLock lock(f.state.mutex);
    f.state.inserts.assign(2, absl::UnavailableError("down"));
  }
  CHECK(Is(f.Record(Good()), StatusCode::kUnavailable, "the vote is not stored"));
  CHECK(f.response.id() == 0);
}

}  // namespace
}  // namespace bertha::server
