#include "bench/eval/metrics.h"

#include <cmath>
#include <string>
#include <vector>

#include "tests/catch.h"

namespace bertha::eval {
namespace {

const std::vector<std::string> kLabels = {"bad", "fair", "good"};

Judgement Answered(size_t truth, size_t answer, double confidence = 0.9) {
  return {.truth = truth, .answer = answer, .confidence = confidence};
}
Judgement Failed(size_t truth) { return {.truth = truth}; }

TEST_CASE("perfect answers score 1 everywhere") {
  const Metrics m = Measure(kLabels, {Answered(0, 0, 1), Answered(1, 1, 1), Answered(2, 2, 1)});
  CHECK(m.accuracy == 1);
  CHECK(m.macro_f1 == 1);
  CHECK(m.mcc == Approx(1));
  CHECK(m.ece == 0.0);
  CHECK(m.failed == 0);
}

TEST_CASE("counts by hand give precision, recall, F1 and the confusion matrix") {
  const Metrics m = Measure({"a", "b"}, {Answered(0, 0), Answered(0, 0), Answered(0, 1), Answered(1, 1)});
  CHECK(m.confusion == std::vector<std::vector<size_t>>{{2, 1, 0}, {0, 1, 0}});
  CHECK(m.labels[0].precision == 1);
  CHECK(m.labels[0].recall == Approx(2.0 / 3));
  CHECK(m.labels[0].f1 == Approx(0.8));
  CHECK(m.labels[0].support == 3);
  CHECK(m.labels[1].precision == 0.5);
  CHECK(m.labels[1].answered == 2);
  CHECK(m.macro_f1 == Approx((0.8 + 2.0 / 3) / 2));
  CHECK(m.mcc == Approx(1 / std::sqrt(3.0)));  // of two labels: (TP TN - FP FN) / sqrt(...) = 2 / sqrt(12)
}

TEST_CASE("a text without an answer is a wrong one, in every denominator") {
  const Metrics m = Measure({"a", "b"}, {Answered(0, 0), Failed(0), Answered(1, 1), Failed(1)});
  CHECK(m.texts == 4);
  CHECK(m.failed == 2);
  CHECK(m.accuracy == 0.5);
  CHECK(m.labels[0].recall == 0.5);
  CHECK(m.labels[0].precision == 1);
  CHECK(m.mcc < 1);
  CHECK(m.confusion[0] == std::vector<size_t>{1, 0, 1});
}

TEST_CASE("the macro mean leaves out labels that no text has and none was given") {
  CHECK(Measure(kLabels, {Answered(0, 0), Answered(1, 1)}).macro_f1 == 1);
  CHECK(Measure(kLabels, {Answered(0, 0), Answered(1, 2)}).macro_f1 == Approx(1.0 / 3));
}

TEST_CASE("one answer for everything has no correlation with the truth") {
  CHECK(Measure(kLabels, {Answered(0, 1), Answered(1, 1), Answered(2, 1)}).mcc == 0);
}

TEST_CASE("without texts, or without answers, every figure is there and none is NaN") {
  const Metrics none = Measure(kLabels, {});
  CHECK(none.accuracy == 0);
  CHECK(none.accuracy_high == 0);
  CHECK(none.mcc == 0);
  CHECK_FALSE(none.ece.has_value());
  const Metrics failed = Measure(kLabels, {Failed(0), Failed(2)});
  CHECK(failed.accuracy == 0);
  CHECK(failed.macro_f1 == 0);
  CHECK(failed.mcc == 0);
  CHECK_FALSE(failed.ece.has_value());
}

TEST_CASE("bins are as wide as each other, take their upper end, and are weighed by their answers") {
  const Metrics m = Measure({"a", "b"}, {Answered(0, 0, 1.0 / 15), Answered(0, 1, 0.95), Answered(0, 0, 0.97),
                                         Answered(0, 0, 1), Answered(0, 0, 0), Failed(0)});
  CHECK(m.bins.size() == kCalibrationBins);
  CHECK(m.bins[0].count == 2);
  CHECK(m.bins[0].accuracy == 1);
  CHECK(m.bins[14].count == 3);
  CHECK(m.bins[14].accuracy == Approx(2.0 / 3));
  const double first = 2 * std::abs(1 - (1.0 / 15) / 2), last = 3 * std::abs(2.0 / 3 - (0.95 + 0.97 + 1) / 3);
  CHECK(*m.ece == Approx((first + last) / 5));
}

TEST_CASE("the interval is Wilson's") {
  std::vector<Judgement> ten(10, Answered(0, 0));
  ten[0] = Answered(0, 1);
  ten[1] = Answered(0, 1);
  const Metrics m = Measure({"a", "b"}, ten);
  CHECK(m.accuracy_low == Approx(0.4901625).margin(1e-6));  // statsmodels: proportion_confint(8, 10, method="wilson")
  CHECK(m.accuracy_high == Approx(0.9433178).margin(1e-6));
}

}  // namespace
}  // namespace bertha::eval
