#include "server/record_feedback.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/manifest.h"

namespace bertha::server {
namespace {

constexpr size_t kMostLabelsNamed = 20;

absl::Status Invalid(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", what));
}

absl::Status CheckText(absl::string_view field, absl::string_view text, size_t most_bytes) {
  if (text.size() > most_bytes) {
    return Invalid(field, absl::StrCat("has ", text.size(), " bytes, at most ", most_bytes, " are allowed"));
  }
  const size_t nul = text.find('\0');
  if (nul == absl::string_view::npos) return absl::OkStatus();
  return Invalid(field, absl::StrCat("has a NUL character at byte ", nul, ", which databases do not keep"));
}

absl::Status CheckTexts(const v1::RecordFeedbackRequest& request, const CallLimits& limits) {
  if (!request.has_input()) return Invalid("input", "is missing; send the text that was judged");
  if (request.input().text().empty()) return Invalid("input.text", "is empty; send the text that was judged");
  const struct {
    absl::string_view field;
    const std::string& text;
    size_t most;
  } texts[] = {{"input.text", request.input().text(), limits.max_text_bytes},
               {"input.text_pair", request.input().text_pair(), limits.max_text_bytes},
               {"model", request.model(), kMostNameBytes},
               {"label", request.label(), kMostNameBytes},
               {"correct_label", request.correct_label(), kMostNameBytes}};
  for (const auto& [field, text, most] : texts) {
    if (absl::Status status = CheckText(field, text, most); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckVerdict(const v1::RecordFeedbackRequest& request) {
  if (!std::isfinite(request.score())) return Invalid("score", "is not a finite number");
  switch (request.verdict()) {
    case v1::VERDICT_RIGHT:
      if (request.correct_label().empty()) return absl::OkStatus();
      return Invalid("correct_label", "only goes with verdict VERDICT_WRONG");
    case v1::VERDICT_WRONG:
      return absl::OkStatus();
    default:
      return Invalid("verdict", "is not set; VERDICT_RIGHT or VERDICT_WRONG");
  }
}

/// Whether the model can have answered so. The correct label may be one that it lacks.
absl::Status CheckAnswer(const v1::RecordFeedbackRequest& request, const models::Manifest& manifest) {
  const bool classifies = manifest.task == models::Task::kSequenceClassification;
  const bool any_number = classifies && manifest.problem_type == models::ProblemType::kRegression;
  if (!any_number && !(request.score() >= 0 && request.score() <= 1)) {
    return Invalid("score", absl::StrCat("is ", request.score(), "; this model's are from 0 to 1"));
  }
  const std::vector<std::string>& labels = manifest.labels;
  if (!classifies || std::ranges::count(labels, request.label()) > 0) return absl::OkStatus();
  const size_t named = std::min(labels.size(), kMostLabelsNamed);
  return Invalid("label", absl::StrCat("is none of this model's; its labels are ",
                                       absl::StrJoin(labels.begin(), labels.begin() + named, ", "),
                                       named < labels.size() ? ", ..." : ""));
}

/// Any version that was ever found counts: a vote may come after its version was replaced. Its labels and scores are
/// known while the version serves.
absl::Status CheckModel(const v1::RecordFeedbackRequest& request, const ModelTable& models) {
  if (request.model().empty()) return Invalid("model", "is missing; send that of the answer");
  if (request.version() <= 0) return Invalid("version", "is missing; send that of the answer");
  bool known = false;
  for (const ModelEntry& entry : models.List()) {
    if (entry.key.name != request.model()) continue;
    known = true;
    if (entry.key.version == request.version() && entry.model) return CheckAnswer(request, entry.model->manifest);
  }
  if (known) return absl::OkStatus();
  return absl::NotFoundError("model: no model of this name is here; ListModels tells which are");
}

absl::Status Check(const v1::RecordFeedbackRequest& request, const ModelTable& models, const CallLimits& limits) {
  if (absl::Status status = CheckTexts(request, limits); !status.ok()) return status;
  if (absl::Status status = CheckVerdict(request); !status.ok()) return status;
  return CheckModel(request, models);
}

feedback::Vote VoteOf(const v1::RecordFeedbackRequest& request, const FeedbackSource& source) {
  feedback::Vote vote{
      .text = request.input().text(),
      .model = request.model(),
      .version = request.version(),
      .label = request.label(),
      .score = request.score(),
      .verdict = request.verdict() == v1::VERDICT_RIGHT ? feedback::Verdict::kRight : feedback::Verdict::kWrong,
      .correct_label = request.correct_label(),
      .client = source.client_address,
      .request_id = source.request_id};
  if (request.input().has_text_pair()) vote.text_pair = request.input().text_pair();
  return vote;
}

}  // namespace

void RecordFeedback(feedback::FeedbackStore* store, const ModelTable& models, const CallLimits& limits,
                    const v1::RecordFeedbackRequest& request, const FeedbackSource& source,
                    v1::RecordFeedbackResponse& response, Done done) {
  if (store == nullptr) {
    return done(absl::FailedPreconditionError("this server keeps no feedback: feedback.database is not set"));
  }
  if (absl::Status status = Check(request, models, limits); !status.ok()) return done(status);
  store->Record(VoteOf(request, source), [&response, done = std::move(done)](const absl::StatusOr<int64_t>& id) {
    if (id.ok()) response.set_id(*id);
    done(id.status());
  });
}

}  // namespace bertha::server
