#include "tokenizer/json_number.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>

namespace bertha::tokenizer {
namespace {

constexpr int kLargestPower = 308;

/// 1e0 to 1e308, each the nearest double.
const std::array<double, kLargestPower + 1>& PowersOfTen() {
  static const auto* const powers = [] {
    auto* made = new std::array<double, kLargestPower + 1>();
    for (size_t i = 0; i < made->size(); ++i) (*made)[i] = std::strtod(("1e" + std::to_string(i)).c_str(), nullptr);
    return made;
  }();
  return *powers;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// The digits of a number as an integer, times ten to the power of `exponent`.
struct Decimal {
  uint64_t digits = 0;
  int64_t exponent = 0;

  /// False if there is no room for the digit.
  bool Add(char digit) {
    constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
    const auto value = static_cast<uint64_t>(digit - '0');
    if (digits > kMax / 10 || (digits == kMax / 10 && value > kMax % 10)) return false;
    digits = digits * 10 + value;
    return true;
  }

  double Value() const {
    auto value = static_cast<double>(digits);
    int64_t power = exponent;
    for (; power < -kLargestPower; power += kLargestPower) {
      if (value == 0) return value;
      value /= PowersOfTen()[kLargestPower];
    }
    if (value == 0) return value;
    if (power > kLargestPower) return std::numeric_limits<double>::infinity();
    return power < 0 ? value / PowersOfTen()[static_cast<size_t>(-power)]
                     : value * PowersOfTen()[static_cast<size_t>(power)];
  }
};

int64_t ReadExponent(absl::string_view text) {
  constexpr int64_t kBeyondAll = 1'000'000'000;
  const bool negative = text[0] == '-';
  int64_t exponent = 0;
  for (const char c : text) {
    if (IsDigit(c)) exponent = std::min(exponent * 10 + (c - '0'), kBeyondAll);
  }
  return negative ? -exponent : exponent;
}

}  // namespace

double JsonNumber(absl::string_view text) {
  const bool negative = text[0] == '-';
  Decimal number;
  size_t at = negative ? 1 : 0;
  bool full = false;
  for (; at < text.size() && IsDigit(text[at]); ++at) {
    full = full || !number.Add(text[at]);
    number.exponent += full;
  }
  if (at < text.size() && text[at] == '.') {
    for (++at, full = false; at < text.size() && IsDigit(text[at]); ++at) {
      full = full || !number.Add(text[at]);
      number.exponent -= !full;
    }
  }
  if (at < text.size()) number.exponent += ReadExponent(text.substr(at + 1));
  const double value = number.Value();
  return negative ? -value : value;
}

}  // namespace bertha::tokenizer
