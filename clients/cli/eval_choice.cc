#include "clients/cli/eval_choice.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace bertha::cli {
namespace {

constexpr char kTask[] = "sequence-classification";

std::string Title(const ModelEntry& entry) { return absl::StrCat(entry.model.name, " v", entry.model.version); }

/// A model of one label gives a number, no decision.
bool IsClassifier(const ModelEntry& entry) {
  return entry.state == "SERVING" && entry.task == kTask && entry.labels.size() > 1;
}

bool SharesLabel(const ModelEntry& entry, const std::set<std::string>& labels) {
  return std::any_of(entry.labels.begin(), entry.labels.end(),
                     [&](const std::string& label) { return labels.count(label) != 0; });
}

std::string NoLabelShared(const ModelEntry& entry, const std::set<std::string>& labels) {
  return absl::StrCat(Title(entry), " has the labels ", absl::StrJoin(entry.labels, ", "), "; the texts have ",
                      absl::StrJoin(labels, ", "), ": say which is which with --label-map ", *labels.begin(), "=",
                      entry.labels.front(), ",...");
}

bool Matches(const ModelEntry& entry, const ModelChoice& choice) {
  if (choice.name.empty() ? !entry.is_default : entry.model.name != choice.name) return false;
  if (!choice.label.empty()) {
    const auto& labels = entry.version_labels;
    return std::find(labels.begin(), labels.end(), choice.label) != labels.end();
  }
  return choice.version == 0 || entry.model.version == choice.version;
}

std::string Wanted(const ModelChoice& choice) {
  const std::string name = choice.name.empty() ? "default model" : choice.name;
  if (!choice.label.empty()) return absl::StrCat(name, ":", choice.label);
  return choice.version == 0 ? name : absl::StrCat(name, ":", choice.version);
}

/// The newest that matches.
absl::StatusOr<ModelEntry> Find(absl::Span<const ModelEntry> entries, const ModelChoice& choice) {
  const ModelEntry* found = nullptr;
  std::vector<std::string> classifiers;
  for (const ModelEntry& entry : entries) {
    if (!IsClassifier(entry)) continue;
    classifiers.push_back(Title(entry));
    if (Matches(entry, choice) && (found == nullptr || entry.model.version > found->model.version)) found = &entry;
  }
  if (found != nullptr) return *found;
  return absl::NotFoundError(absl::StrCat("no classifier ", Wanted(choice), " serves; there are: ",
                                          classifiers.empty() ? "none" : absl::StrJoin(classifiers, ", ")));
}

}  // namespace

absl::StatusOr<ChosenModels> ChooseModels(absl::Span<const ModelEntry> entries, absl::Span<const ModelChoice> choices,
                                          const std::set<std::string>& labels) {
  ChosenModels chosen;
  for (const ModelChoice& choice : choices) {
    auto entry = Find(entries, choice);
    if (!entry.ok()) return entry.status();
    if (!SharesLabel(*entry, labels)) return absl::InvalidArgumentError(NoLabelShared(*entry, labels));
    chosen.models.push_back(*std::move(entry));
  }
  if (!choices.empty()) return chosen;
  for (const ModelEntry& entry : entries) {
    if (!IsClassifier(entry)) continue;
    if (SharesLabel(entry, labels)) {
      chosen.models.push_back(entry);
    } else {
      chosen.left_out.push_back(NoLabelShared(entry, labels));
    }
  }
  if (!chosen.models.empty()) return chosen;
  if (chosen.left_out.empty()) return absl::NotFoundError("the server has no classifier that serves");
  return absl::InvalidArgumentError(chosen.left_out.front());
}

absl::StatusOr<std::map<std::string, std::string>> ParseLabelMap(absl::string_view text) {
  std::map<std::string, std::string> map;
  for (const absl::string_view pair : absl::StrSplit(text, ',')) {
    const std::pair<std::string, std::string> sides = absl::StrSplit(pair, absl::MaxSplits('=', 1));
    if (sides.first.empty() || sides.second.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("'", pair, "' is not LABEL=LABEL"));
    }
    if (!map.insert(sides).second) return absl::InvalidArgumentError(absl::StrCat(sides.first, " is there twice"));
  }
  return map;
}

}  // namespace bertha::cli
