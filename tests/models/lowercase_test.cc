#include "models/tasks/lowercase.h"

#include <utility>
#include <vector>

#include "tests/catch.h"

namespace bertha::models {
namespace {

TEST_CASE("LowercaseIsThatOfPython") {
  // Printed by Python 3.11: text.lower()
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"abc ABC 中Ω 9", "abc abc 中ω 9"},
      {"İstanbul ÉCOLE", "i\u0307stanbul école"},
      {"ǅ ẞ Ⅷ", "ǆ ß ⅷ"},
      {"Σ", "σ"},
      {"ΟΔΟΣ", "οδος"},
      {"ΟΔΟΣ.", "οδος."},
      {"ΑΣΑ", "ασα"},
      {"Ο'ΔΟΣ ΣΑΣ", "ο'δος σας"},
      {"ΑΣ\u0301", "ας\u0301"},
      {"ΑΣ'Α", "ασ'α"},
  };
  std::string lower = "left behind";
  for (const auto& [text, expected] : cases) {
    Lowercase(text, lower);
    CHECK(lower == expected);
  }
}

}  // namespace
}  // namespace bertha::models
