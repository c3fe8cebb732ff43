#include "clients/cli/entities_output.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "clients/cli/text.h"
#include "clients/cli/view.h"

namespace bertha::cli {
namespace {

/// Black on a colour, one for each kind of entity.
constexpr std::array<absl::string_view, 6> kKinds = {"\033[30;46m", "\033[30;43m", "\033[30;42m",
                                                     "\033[30;45m", "\033[30;47m", "\033[30;44m"};
constexpr size_t kMinLabelWidth = 5;
constexpr size_t kMaxLabelWidth = 28;
constexpr size_t kPlaceWidth = 13;
constexpr size_t kMinTextWidth = 16;

/// "DISH" for "B-DISH" and "I-DISH".
absl::string_view KindOf(absl::string_view label) {
  return absl::StartsWith(label, "B-") || absl::StartsWith(label, "I-") ? label.substr(2) : label;
}

class EntitiesView {
 public:
  EntitiesView(TableStyle style, bool single) : style_(style), paint_(style.color), single_(single) {}

  std::string operator()(const Row& row) {
    const std::vector<Entity>& entities = std::get<Entities>(row.result->body).entities;
    const std::string marked = Marked(row.input.text, entities) + "\n";
    return marked + (entities.empty() ? "  no entities\n" : Lines(entities));
  }

 private:
  absl::string_view ColorOf(const Entity& entity) {
    const auto [found, is_new] = kinds_.try_emplace(std::string(KindOf(entity.label)), kinds_.size());
    return kKinds[found->second % kKinds.size()];
  }

  std::string Marked(absl::string_view text, const std::vector<Entity>& entities) {
    std::string marked;
    uint32_t at = 0;
    for (const Entity& e : entities) {
      const absl::string_view part = Part(text, {std::max(e.bytes.begin, at), e.bytes.end});
      if (part.empty()) continue;
      const auto begin = static_cast<uint32_t>(part.data() - text.data());
      absl::StrAppend(&marked, EscapeInvisible(Part(text, {at, begin})), style_.color ? "" : "[",
                      paint_(ColorOf(e), absl::StrCat(EscapeInvisible(part), " ", EscapeInvisible(e.label))),
                      style_.color ? "" : "]");
      at = begin + static_cast<uint32_t>(part.size());
    }
    return marked + EscapeInvisible(text.substr(at));
  }

  std::string Lines(const std::vector<Entity>& entities) {
    size_t width = kMinLabelWidth;
    for (const Entity& e : entities) width = std::max(width, DisplayWidth(e.label));
    width = std::min(width, kMaxLabelWidth);
    const size_t fixed = width + kScoreWidth + kPlaceWidth + 4;
    const size_t text_width = std::max(kMinTextWidth, style_.width > fixed ? style_.width - fixed : 0);
    std::string lines;
    if (single_) {
      absl::StrAppend(&lines,
                      paint_(kDim, absl::StrCat("  ", PadRight("LABEL", width), PadLeft("SCORE", kScoreWidth),
                                                PadLeft("CHARS", kPlaceWidth), "  TEXT")),
                      "\n");
    }
    for (const Entity& e : entities) {
      const std::string label = FitToWidth(e.label, width);
      absl::StrAppend(&lines, "  ", paint_(ColorOf(e), label), std::string(width - DisplayWidth(label), ' '),
                      PadLeft(Score(e.score), kScoreWidth), PadLeft(Slice(e.chars), kPlaceWidth), "  ",
                      FitToWidth(e.text, text_width), "\n");
    }
    return lines;
  }

  const TableStyle style_;
  const Painter paint_;
  const bool single_;
  std::map<std::string, size_t> kinds_;  // in the order in which they were met
};

Json EntitiesJson(const Entities& found) {
  Json entities = Json::array();
  for (const Entity& e : found.entities) {
    entities.push_back(Json{{"label", e.label},
                            {"score", e.score},
                            {"text", e.text},
                            {"bytes", RangeJson(e.bytes)},
                            {"chars", RangeJson(e.chars)}});
  }
  Json json;
  json["entities"] = std::move(entities);
  return json;
}

}  // namespace

std::unique_ptr<RowWriter> MakeEntitiesView(TableStyle style, bool single) {
  return MakeBlockWriter(style, single, EntitiesView(style, single));
}

std::unique_ptr<RowWriter> MakeEntitiesJson() {
  return MakeJsonWriter([](const Result& result) { return EntitiesJson(std::get<Entities>(result.body)); });
}

}  // namespace bertha::cli
