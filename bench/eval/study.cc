#include "bench/eval/study.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "bench/report/page.h"

namespace bertha::eval {
namespace {

using Json = nlohmann::ordered_json;

Json OrNull(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json LabelsJson(const Metrics& m) {
  Json labels = Json::array();
  for (const LabelScores& l : m.labels) {
    labels.push_back({{"label", l.label},
                      {"precision", l.precision},
                      {"recall", l.recall},
                      {"f1", l.f1},
                      {"support", l.support},
                      {"answered", l.answered}});
  }
  return labels;
}

Json BinsJson(const Metrics& m) {
  Json bins = Json::array();
  for (const CalibrationBin& b : m.bins) {
    bins.push_back(
        {{"low", b.low}, {"high", b.high}, {"count", b.count}, {"confidence", b.confidence}, {"accuracy", b.accuracy}});
  }
  return bins;
}

Json ModelJson(const ModelResult& model, const Study& study) {
  const Metrics& m = model.metrics;
  const Shares shares = SharesOf(model, study);
  return {
      {"name", model.name},
      {"version", model.version},
      {"family", model.family},
      {"engine", model.engine},
      {"device", model.device},
      {"dtype", model.dtype},
      {"weight_bytes", model.weight_bytes > 0 ? Json(model.weight_bytes) : Json()},
      {"texts", m.texts},
      {"right", m.right},
      {"failed", m.failed},
      {"failures", model.failures},
      {"truncated", model.truncated},
      {"accuracy", m.accuracy},
      {"accuracy_95", {m.accuracy_low, m.accuracy_high}},
      {"macro_f1", m.macro_f1},
      {"mcc", m.mcc},
      {"ece", OrNull(m.ece)},
      {"seconds", model.seconds},
      {"texts_per_s", model.texts_per_s()},
      {"compute_us_per_text", OrNull(model.compute_us)},
      {"of_best", {{"accuracy", shares.accuracy}, {"faster", OrNull(shares.faster)}, {"size", OrNull(shares.size)}}},
      {"unknown_labels", model.unknown_labels},
      {"labels", LabelsJson(m)},
      {"confusion", m.confusion},
      {"calibration", BinsJson(m)}};
}

}  // namespace

std::string ModelResult::title() const { return absl::StrCat(name, " v", version); }

void Sort(Study& study) {
  const auto key = [](const ModelResult& m) { return std::make_tuple(-m.metrics.accuracy, -m.metrics.mcc, m.seconds); };
  std::stable_sort(study.models.begin(), study.models.end(),
                   [&](const ModelResult& a, const ModelResult& b) { return key(a) < key(b); });
}

Shares SharesOf(const ModelResult& model, const Study& study) {
  const ModelResult& best = study.models.front();
  Shares shares;
  shares.accuracy = best.metrics.accuracy > 0 ? model.metrics.accuracy / best.metrics.accuracy : 0;
  if (best.seconds > 0 && model.seconds > 0) shares.faster = best.seconds / model.seconds;
  if (best.weight_bytes > 0 && model.weight_bytes > 0) {
    shares.size = static_cast<double>(model.weight_bytes) / static_cast<double>(best.weight_bytes);
  }
  return shares;
}

Json ToJson(const Study& study) {
  Json models = Json::array();
  for (const ModelResult& model : study.models) models.push_back(ModelJson(model, study));
  return {{"schema", "bertha.eval/1"},
          {"started", study.started},
          {"command", study.command},
          {"data", {{"file", study.file}, {"texts", study.texts}, {"labels", study.labels}}},
          {"server", {{"address", study.address}}},
          {"calls", {{"batch", study.batch}, {"in_flight", study.in_flight}}},
          {"models", models}};
}

std::string ToHtml(const Study& study) { return report::RenderPage("eval.html", ToJson(study)); }

}  // namespace bertha::eval
