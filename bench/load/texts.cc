#include "bench/load/texts.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "bench/load/random.h"
#include "bench/load/table.h"
#include "tokenizer/status_macros.h"

namespace bertha::load {
namespace {

constexpr absl::string_view kWords[] = {
    "the",    "of",      "and",   "a",       "to",     "in",        "is",     "was",    "film",   "story",  "for",
    "it",     "with",    "as",    "his",     "on",     "be",        "at",     "by",     "this",   "had",    "not",
    "are",    "but",     "from",  "or",      "have",   "an",        "they",   "which",  "one",    "you",    "were",
    "actors", "her",     "all",   "she",     "there",  "would",     "their",  "we",     "him",    "been",   "has",
    "when",   "who",     "will",  "more",    "no",     "if",        "out",    "so",     "said",   "what",   "up",
    "its",    "about",   "into",  "than",    "them",   "can",       "only",   "other",  "new",    "some",   "could",
    "time",   "these",   "two",   "may",     "then",   "do",        "first",  "any",    "my",     "now",    "such",
    "like",   "our",     "over",  "man",     "me",     "even",      "most",   "made",   "after",  "also",   "did",
    "many",   "before",  "must",  "through", "back",   "years",     "where",  "much",   "camera", "slowly", "great",
    "awful",  "moved",   "laugh", "quiet",   "music",  "never",     "ending", "twice",  "bored",  "scenes", "writing",
    "long",   "evening", "watch", "again",   "nobody", "wonderful", "seldom", "better", "worse",  "ever"};

bool IsTable(const std::string& path) { return absl::EndsWith(path, ".csv") || absl::EndsWith(path, ".jsonl"); }

absl::StatusOr<std::vector<Row>> Columns(const Source& source, const std::vector<std::string>& columns) {
  return absl::EndsWith(source.path, ".csv") ? CsvColumns(source, columns) : JsonlColumns(source, columns);
}

absl::Status IsEmpty(const std::string& path) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": there are no texts in it"));
}

/// The numbers of "A,B" or "A"; none if any is not a finite number.
std::vector<double> Numbers(absl::string_view text) {
  std::vector<double> numbers;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    double number = 0;
    if (!absl::SimpleAtod(part, &number) || !std::isfinite(number)) return {};
    numbers.push_back(number);
  }
  return numbers;
}

bool IsCount(double number) { return number >= 1 && number <= Lengths::kMost && number == std::floor(number); }

size_t DrawLength(const Lengths& lengths, Random& random) {
  double drawn = lengths.a;
  if (lengths.kind == Lengths::Kind::kUniform) drawn += std::floor(random.Uniform() * (lengths.b - lengths.a + 1));
  if (lengths.kind == Lengths::Kind::kLognormal) drawn *= std::exp(lengths.b * random.Normal());
  return static_cast<size_t>(std::clamp(std::round(drawn), 1.0, static_cast<double>(Lengths::kMost)));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ReadTexts(const std::string& path, const std::string& column) {
  if (!IsTable(path) && !column.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": only .csv and .jsonl files have columns; leave out \"", column, "\""));
  }
  TOKENIZER_ASSIGN_OR_RETURN(const Source source, Source::Read(path));
  std::vector<std::string> texts;
  if (IsTable(path)) {
    TOKENIZER_ASSIGN_OR_RETURN(std::vector<Row> rows, Columns(source, {column.empty() ? "text" : column}));
    for (Row& row : rows) texts.push_back(std::move(row.fields[0]));
  } else {
    for (const Line& line : LinesOf(source)) texts.emplace_back(line.text);
  }
  if (texts.empty()) return IsEmpty(path);
  return texts;
}

absl::StatusOr<std::vector<Labelled>> ReadLabelled(const std::string& path, const std::string& text_column,
                                                   const std::string& label_column) {
  if (!IsTable(path)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": texts with labels are read from .csv and .jsonl files"));
  }
  TOKENIZER_ASSIGN_OR_RETURN(const Source source, Source::Read(path));
  TOKENIZER_ASSIGN_OR_RETURN(std::vector<Row> rows, Columns(source, {text_column, label_column}));
  std::vector<Labelled> labelled;
  labelled.reserve(rows.size());
  for (Row& row : rows) labelled.push_back({row.line, std::move(row.fields[0]), std::move(row.fields[1])});
  if (labelled.empty()) return IsEmpty(path);
  return labelled;
}

absl::StatusOr<Lengths> ParseLengths(const std::string& text) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  const std::vector<double> numbers = Numbers(parts.second);
  if (parts.first == "fixed" && numbers.size() == 1 && IsCount(numbers[0])) {
    return Lengths{Lengths::Kind::kFixed, numbers[0], 0};
  }
  if (numbers.size() == 2) {
    const double a = numbers[0], b = numbers[1];
    if (parts.first == "uniform" && IsCount(a) && IsCount(b) && a <= b) return Lengths{Lengths::Kind::kUniform, a, b};
    if (parts.first == "lognormal" && a >= 1 && a <= Lengths::kMost && b >= 0 && b <= 5) {
      return Lengths{Lengths::Kind::kLognormal, a, b};
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", text,
      "\" is no distribution of lengths: wanted fixed:N, uniform:A,B or lognormal:MEDIAN,SIGMA, in words from 1 to ",
      Lengths::kMost, ", SIGMA from 0 to 5"));
}

std::vector<std::string> SyntheticTexts(const Lengths& lengths, size_t count, uint64_t seed) {
  Random random(seed, Random::Stream::kWords);
  std::vector<std::string> texts(count);
  for (std::string& text : texts) {
    const size_t words = DrawLength(lengths, random);
    for (size_t i = 0; i < words; ++i)
      absl::StrAppend(&text, i == 0 ? "" : " ", kWords[random.Below(std::size(kWords))]);
  }
  return texts;
}

}  // namespace bertha::load
