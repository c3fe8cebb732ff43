// A study on the terminal. Pure.
#ifndef BERTHA_CLIENTS_CLI_EVAL_OUTPUT_H_
#define BERTHA_CLIENTS_CLI_EVAL_OUTPUT_H_

#include <string>
#include <vector>

#include "bench/eval/study.h"

namespace bertha::cli {

/// The models in the study's order, then each with its labels and what it confuses.
std::string StudyTables(const eval::Study& study);

/// What a reader must know before he believes the tables: a line for each model with texts that failed, or with labels
/// of the texts that it does not have.
std::vector<std::string> StudyWarnings(const eval::Study& study);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_EVAL_OUTPUT_H_
