// What the views for people have in common: colours, scores, places, and where the time went. Pure.
#ifndef BERTHA_CLIENTS_CLI_VIEW_H_
#define BERTHA_CLIENTS_CLI_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "clients/cli/row.h"

namespace bertha::cli {

constexpr absl::string_view kBold = "\033[1m";
constexpr absl::string_view kDim = "\033[2m";
constexpr absl::string_view kRed = "\033[31m";
constexpr absl::string_view kCyan = "\033[36m";

constexpr size_t kScoreWidth = 8;

/// Puts an escape sequence around texts that are not empty, or does not.
class Painter {
 public:
  explicit Painter(bool color) : color_(color) {}
  std::string operator()(absl::string_view escape, absl::string_view text) const {
    return color_ && !escape.empty() && !text.empty() ? absl::StrCat(escape, text, "\033[0m") : std::string(text);
  }

 private:
  bool color_;
};

/// "0.9310".
std::string Score(float score);

/// A bar says "share of 1"; a regression score outside [0, 1] is no such thing and has blanks.
std::string ScoreBar(float score, size_t cells);

/// As Python slices: "4:12".
std::string Slice(const Range& range);

/// The part of `text` that `bytes` says, as far as it is there.
absl::string_view Part(absl::string_view text, const Range& bytes);

/// "text", or "text | pair".
std::string BothTexts(const Input& input);

/// Where the time of one input went, how much it was, and who answered.
std::string Account(const Result& result);

/// The means of a run.
class Means {
 public:
  void Add(const Result& result);
  bool any() const { return count_ > 0; }
  /// Of what Account says of one.
  std::string Line() const;
  bool any_truncated() const { return truncated_; }
  bool any_windows() const { return windows_; }

 private:
  uint64_t count_ = 0;
  double tokenize_ = 0, queue_ = 0, compute_ = 0, total_ = 0, batch_ = 0;
  bool truncated_ = false;
  bool windows_ = false;
  std::string model_;
};

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_VIEW_H_
