#include "clients/cli/tokenize_request.h"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "tokenizer/json_reader.h"

namespace bertha::cli {
namespace {

using tokenizer::Quoted;
using tokenizer::TruncationSide;
using tokenizer::TruncationStrategy;

enum Field { kText, kPair, kMaxLength, kStride, kTruncation, kStrategy, kDirection, kFields };

constexpr absl::string_view kString = "a string";
constexpr absl::string_view kNumber = "an integer from 0 to 18446744073709551615";

struct FieldInfo {
  size_t depth;  ///< of the object that has it: 1 is the request, 2 its truncation
  absl::string_view key;
  absl::string_view path;
  absl::string_view kind;  ///< what its value must be
};
constexpr std::array<FieldInfo, kFields> kInfo = {{{1, "text", "text", kString},
                                                   {1, "pair", "pair", kString},
                                                   {1, "max_length", "max_length", kNumber},
                                                   {1, "stride", "stride", kNumber},
                                                   {1, "truncation", "truncation", "an object"},
                                                   {2, "strategy", "truncation.strategy", kString},
                                                   {2, "direction", "truncation.direction", kString}}};

/// The detail in nlohmann's "[json...] parse error at line L, column C: syntax error while parsing W - DETAIL; last
/// read: 'ALL THAT WAS READ OF THE TOKEN'".
absl::string_view Detail(absl::string_view what) {
  const size_t begin = what.find(" - ");
  if (begin != absl::string_view::npos) what.remove_prefix(begin + 3);
  return what.substr(0, what.find("; last read: '"));
}

/// Takes the parser's events. There is no recursion: what is nested deeper than a request is, is refused where it
/// opens.
class RequestReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  absl::StatusOr<TokenizeRequest> Finish() && {
    if (!status_.ok()) return status_;
    if (!seen_[kText]) return absl::InvalidArgumentError("text is missing");
    return std::move(request_);
  }

  bool null() override { return depth_ > 0 && field_ != kText ? true : WrongType("null"); }
  bool boolean(bool value) override { return WrongType(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override {
    return value >= 0 ? number_unsigned(static_cast<number_unsigned_t>(value)) : WrongType(absl::StrCat(value));
  }
  bool number_float(number_float_t, const string_t& digits) override { return WrongType(digits); }
  bool binary(binary_t&) override { return WrongType("binary"); }
  bool start_array(size_t) override { return WrongType("an array"); }
  bool end_array() override { return false; }

  bool number_unsigned(number_unsigned_t value) override {
    if (depth_ > 0 && field_ == kMaxLength) {
      request_.max_length = value;
    } else if (depth_ > 0 && field_ == kStride) {
      request_.stride = value;
    } else {
      return WrongType(absl::StrCat(value));
    }
    return true;
  }

  bool string(string_t& value) override {
    if (depth_ == 0) return WrongType("a string");
    switch (field_) {
      case kText:
        request_.text = std::move(value);
        return true;
      case kPair:
        request_.pair = std::move(value);
        return true;
      case kStrategy:
        return SetStrategy(value);
      case kDirection:
        return SetDirection(value);
      default:
        return WrongType(Quoted(value));
    }
  }

  bool start_object(size_t) override {
    if (depth_ == 1 ? field_ != kTruncation : depth_ == 2) return WrongType("an object");
    ++depth_;
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }

  bool key(string_t& key) override {
    for (size_t field = 0; field < kFields; ++field) {
      if (kInfo[field].depth != depth_ || kInfo[field].key != key) continue;
      field_ = static_cast<Field>(field);
      return !std::exchange(seen_[field], true) || Fail(absl::StrCat(kInfo[field].path, " is there twice"));
    }
    return Fail(absl::StrCat("unknown key ", Quoted(key),
                             depth_ == 1 ? "; known: text, pair, max_length, truncation, stride"
                                         : " in truncation; known: strategy, direction"));
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    constexpr int kNumberOutOfRange = 406;
    return Fail(absl::StrCat("not JSON at byte ", position == 0 ? 0 : position - 1, ": ",
                             error.id == kNumberOutOfRange ? "number out of range" : Detail(error.what())));
  }

 private:
  bool Fail(std::string what) {
    status_ = absl::InvalidArgumentError(std::move(what));
    return false;
  }

  bool WrongType(absl::string_view found) {
    if (depth_ == 0) return Fail(absl::StrCat("the line must be a JSON object, is ", Short(found)));
    return Fail(absl::StrCat(kInfo[field_].path, " must be ", kInfo[field_].kind, ", is ", Short(found)));
  }
  /// A number may have any number of digits.
  static std::string Short(absl::string_view text) {
    constexpr size_t kLongest = 200;
    return text.size() <= kLongest ? std::string(text)
                                   : absl::StrCat(text.substr(0, 20), "... (", text.size(), " digits)");
  }

  bool SetStrategy(absl::string_view name) {
    if (name == "longest_first") {
      request_.strategy = TruncationStrategy::kLongestFirst;
    } else if (name == "only_first") {
      request_.strategy = TruncationStrategy::kOnlyFirst;
    } else if (name == "only_second") {
      request_.strategy = TruncationStrategy::kOnlySecond;
    } else {
      return Fail(
          absl::StrCat("truncation.strategy must be longest_first, only_first or only_second, is ", Quoted(name)));
    }
    return true;
  }

  bool SetDirection(absl::string_view name) {
    if (name != "right" && name != "left") {
      return Fail(absl::StrCat("truncation.direction must be right or left, is ", Quoted(name)));
    }
    request_.side = name == "left" ? TruncationSide::kLeft : TruncationSide::kRight;
    return true;
  }

  TokenizeRequest request_;
  absl::Status status_;
  size_t depth_ = 0;       // objects open: 0 outside, 1 in the request, 2 in its truncation
  Field field_ = kFields;  // whose value comes next; only where depth_ > 0
  std::array<bool, kFields> seen_{};
};

}  // namespace

absl::StatusOr<TokenizeRequest> ParseTokenizeRequest(absl::string_view line) {
  if (absl::StripAsciiWhitespace(line).empty()) {
    return absl::InvalidArgumentError("the line is empty; it must be a JSON object such as {\"text\": \"some words\"}");
  }
  // The parser takes a NUL for the end of its input.
  if (const size_t nul = line.find('\0'); nul != absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat("not JSON at byte ", nul, ": NUL"));
  }
  RequestReader reader;
  nlohmann::json::sax_parse(line.begin(), line.end(), &reader);
  return std::move(reader).Finish();
}

}  // namespace bertha::cli
