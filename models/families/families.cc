#include "models/families/families.h"

#include <algorithm>
#include <array>

namespace bertha::models {
namespace {

constexpr std::array<Family, 5> kFamilies = {{{.name = "bert"},
                                              {.name = "roberta", .padding_id = true},
                                              {.name = "distilbert"},
                                              {.name = "xlnet", .summary_activation = true},
                                              {.name = "albert"}}};

}  // namespace

std::span<const Family> Families() { return kFamilies; }

const Family* FindFamily(absl::string_view name) {
  const auto found = std::ranges::find_if(kFamilies, [&](const Family& family) { return family.name == name; });
  return found == kFamilies.end() ? nullptr : &*found;
}

}  // namespace bertha::models
