// `bertha tag`: texts in, the entities in them out.
#ifndef BERTHA_CLIENTS_CLI_TAG_COMMAND_H_
#define BERTHA_CLIENTS_CLI_TAG_COMMAND_H_

#include "clients/cli/run_texts.h"

namespace bertha::cli {

struct TagOptions {
  /// How tokens become entities. kModel: as the model's package says.
  enum class Aggregation { kModel, kNone, kSimple, kFirst, kAverage, kMax };

  RunOptions run;
  Aggregation aggregation = Aggregation::kModel;
  float threshold = 0;
  bool json = false;
};

/// Returns the exit code.
int RunTag(const TagOptions& options);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_TAG_COMMAND_H_
