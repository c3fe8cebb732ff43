#include "clients/cli/answers_output.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "clients/cli/text.h"
#include "clients/cli/view.h"

namespace bertha::cli {
namespace {

constexpr absl::string_view kMark = "\033[30;46m";
constexpr size_t kMinSnippetWidth = 40;

/// `bytes` of the context, marked, with what is around it as far as `width` cells allow, on both sides alike.
std::string Snippet(absl::string_view context, const Range& bytes, size_t width, const Painter& paint, bool color) {
  const absl::string_view answer = Part(context, bytes);
  const size_t begin = static_cast<size_t>(answer.data() - context.data());
  const absl::string_view before = context.substr(0, begin);
  const absl::string_view after = context.substr(begin + answer.size());
  const std::string shown = FitToWidth(answer, width - 2);
  const size_t rest = width - 2 - DisplayWidth(shown);
  const std::string left = FitEndToWidth(before, rest / 2);
  const std::string right = FitToWidth(after, rest - DisplayWidth(left));
  return absl::StrCat(paint(kDim, left), color ? "" : "[", paint(kMark, shown), color ? "" : "]", paint(kDim, right));
}

std::string AnswerLines(const Row& row, TableStyle style, bool with_no_answer) {
  const Painter paint(style.color);
  const auto& found = std::get<FoundAnswers>(row.result->body);
  const absl::string_view context = row.input.pair ? absl::string_view(*row.input.pair) : "";
  const size_t width = std::max(kMinSnippetWidth, style.width - std::min(style.width, kScoreWidth + 2));
  std::string lines = absl::StrCat(paint(kBold, FitToWidth(row.input.text, style.width)), "\n");
  if (found.answers.empty()) lines += "  nothing in the context can be an answer\n";
  for (const FoundAnswer& a : found.answers) {
    absl::StrAppend(&lines, PadLeft(Score(a.score), kScoreWidth), "  ",
                    a.no_answer ? "no answer in the context" : Snippet(context, a.bytes, width, paint, style.color),
                    "\n");
  }
  if (with_no_answer) absl::StrAppend(&lines, "  no answer: ", Score(found.no_answer_score), "\n");
  return lines;
}

Json AnswersJson(const FoundAnswers& found) {
  const bool any = !found.answers.empty();
  Json json;
  json["answer"] = any && !found.answers[0].no_answer ? Json(found.answers[0].text) : Json();
  json["score"] = any ? Json(found.answers[0].score) : Json();
  json["answers"] = Json::array();
  for (const FoundAnswer& a : found.answers) {
    json["answers"].push_back(Json{{"text", a.text},
                                   {"score", a.score},
                                   {"bytes", RangeJson(a.bytes)},
                                   {"chars", RangeJson(a.chars)},
                                   {"no_answer", a.no_answer}});
  }
  json["no_answer_score"] = found.no_answer_score;
  return json;
}

}  // namespace

std::unique_ptr<RowWriter> MakeAnswersView(TableStyle style, bool single, bool with_no_answer) {
  return MakeBlockWriter(style, single,
                         [style, with_no_answer](const Row& row) { return AnswerLines(row, style, with_no_answer); });
}

std::unique_ptr<RowWriter> MakeAnswersJson() {
  return MakeJsonWriter([](const Result& result) { return AnswersJson(std::get<FoundAnswers>(result.body)); });
}

}  // namespace bertha::cli
