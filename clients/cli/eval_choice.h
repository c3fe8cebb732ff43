// Which of the server's models an evaluation is about. Pure.
#ifndef BERTHA_CLIENTS_CLI_EVAL_CHOICE_H_
#define BERTHA_CLIENTS_CLI_EVAL_CHOICE_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "clients/cli/model_choice.h"
#include "clients/cli/models_output.h"

namespace bertha::cli {

struct ChosenModels {
  std::vector<ModelEntry> models;
  /// A line for each classifier that was left out because it shares no label with the texts.
  std::vector<std::string> left_out;
};

/// Without `choices` all classifiers that serve, each in every version that does. One that was asked for must serve,
/// classify, and share a label with `labels`, those of the texts; else the error says what there is instead.
absl::StatusOr<ChosenModels> ChooseModels(absl::Span<const ModelEntry> entries, absl::Span<const ModelChoice> choices,
                                          const std::set<std::string>& labels);

/// "--label-map": "a=b,c=d".
absl::StatusOr<std::map<std::string, std::string>> ParseLabelMap(absl::string_view text);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_EVAL_CHOICE_H_
