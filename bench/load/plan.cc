#include "bench/load/plan.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/load/random.h"
#include "tokenizer/status_macros.h"

namespace bertha::load {
namespace {

double Seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

bool IsRecorded(const PlanOptions& options) { return options.arrivals.kind == Arrivals::Kind::kRecorded; }

bool HasRecordedTexts(const PlanOptions& options) {
  return IsRecorded(options) && !options.arrivals.recorded.empty() && options.arrivals.recorded[0].text.has_value();
}

absl::Status CheckTexts(const std::vector<std::string>& texts) {
  return texts.empty() ? absl::InvalidArgumentError("there are no texts to send") : absl::OkStatus();
}

absl::Status CheckRate(const PlanOptions& options) {
  if (IsRecorded(options)) return absl::OkStatus();
  if (!(options.rate > 0) || !std::isfinite(options.rate)) {
    return absl::InvalidArgumentError(absl::StrCat("a rate of ", options.rate, " calls/s: wanted one above 0"));
  }
  const double calls = options.rate * Seconds(options.length);
  if (calls > static_cast<double>(kMaxCalls)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%.0f calls are more than the %d that one run may have: take a "
                        "lower rate or a shorter time",
                        calls, kMaxCalls));
  }
  return absl::OkStatus();
}

/// A recorded schedule goes on for a mean gap after its last call, as if it began again then.
Duration LengthOf(const PlanOptions& options) {
  if (!IsRecorded(options)) return options.length;
  const auto& recorded = options.arrivals.recorded;
  if (recorded.size() < 2) return Duration::zero();
  return recorded.back().at + recorded.back().at / static_cast<int64_t>(recorded.size() - 1);
}

/// Draws indices in proportion to the models' weights.
class ModelDraw {
 public:
  ModelDraw(const std::vector<Plan::Model>& models, uint64_t seed) : random_(seed, Random::Stream::kModels) {
    for (const Plan::Model& model : models) ends_.push_back((ends_.empty() ? 0 : ends_.back()) + model.weight);
  }
  uint32_t operator()() {
    const auto found = std::ranges::upper_bound(ends_, random_.Uniform() * ends_.back());
    return static_cast<uint32_t>(std::min(found, ends_.end() - 1) - ends_.begin());
  }

 private:
  Random random_;
  std::vector<double> ends_;
};

/// Gives each of the calls a text and a model.
void DrawCalls(Plan& plan, uint64_t seed) {
  if (plan.models.empty()) plan.models.emplace_back();
  Random random(seed, Random::Stream::kTexts);
  ModelDraw draw_model(plan.models, seed);
  for (PlannedCall& call : plan.calls) {
    call.text = static_cast<uint32_t>(random.Below(plan.texts.size()));
    call.model = draw_model();
  }
}

/// What was recorded of the calls besides their times.
void TakeRecorded(Plan& plan, const PlanOptions& options) {
  const auto& recorded = options.arrivals.recorded;
  for (size_t i = 0; i < recorded.size(); ++i) {
    if (recorded[i].deadline > Duration::zero()) plan.calls[i].deadline = recorded[i].deadline;
    if (recorded[i].text.has_value()) plan.calls[i].text = static_cast<uint32_t>(i);
  }
}

}  // namespace

absl::StatusOr<Plan::Model> ParseModel(const std::string& text) {
  Plan::Model model;
  const size_t equals = text.rfind('=');
  if (equals != std::string::npos && (!absl::SimpleAtod(text.substr(equals + 1), &model.weight) ||
                                      !(model.weight > 0) || !std::isfinite(model.weight))) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\": the weight after = must be a number above 0"));
  }
  const std::string id = text.substr(0, equals);
  const size_t colon = id.find(':');
  model.name = id.substr(0, colon);
  if (colon != std::string::npos) model.version = id.substr(colon + 1);
  if (model.name.empty() || (colon != std::string::npos && model.version.empty())) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\": wanted NAME[:VERSION][=WEIGHT]"));
  }
  return model;
}

absl::StatusOr<Plan> PlanOpenLoop(std::vector<std::string> texts, std::vector<Plan::Model> models,
                                  const PlanOptions& options) {
  TOKENIZER_RETURN_IF_ERROR(CheckRate(options));
  Plan plan{.models = std::move(models), .warm_up = options.warm_up, .length = LengthOf(options)};
  for (const Duration at : ArrivalTimes(options.arrivals, options.rate, plan.length, options.seed)) {
    plan.calls.push_back({.at = at, .deadline = options.deadline});
  }
  if (plan.calls.empty() || plan.calls.back().at < plan.warm_up) {
    return absl::InvalidArgumentError(
        absl::StrFormat("no call comes after the warm-up: %d calls in %.3g s, of which %.3g s "
                        "are warm-up; take a higher rate or a longer time",
                        plan.calls.size(), Seconds(plan.length), Seconds(plan.warm_up)));
  }
  if (HasRecordedTexts(options)) {
    for (const RecordedCall& call : options.arrivals.recorded) plan.texts.push_back(call.text.value_or(""));
  } else {
    plan.texts = std::move(texts);
  }
  TOKENIZER_RETURN_IF_ERROR(CheckTexts(plan.texts));
  DrawCalls(plan, options.seed);
  TakeRecorded(plan, options);
  return plan;
}

absl::StatusOr<Plan> PlanClosedLoop(std::vector<std::string> texts, std::vector<Plan::Model> models, size_t calls,
                                    const PlanOptions& options) {
  TOKENIZER_RETURN_IF_ERROR(CheckTexts(texts));
  if (calls == 0 || calls > kMaxCalls) {
    return absl::InvalidArgumentError(absl::StrCat(calls, " calls: wanted 1 to ", kMaxCalls));
  }
  Plan plan{.texts = std::move(texts), .models = std::move(models), .warm_up = options.warm_up};
  plan.calls.resize(calls, {.deadline = options.deadline});
  DrawCalls(plan, options.seed);
  return plan;
}

}  // namespace bertha::load
