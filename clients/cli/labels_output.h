// What `bertha classify` prints. Pure; rows must have Labels.
#ifndef BERTHA_CLIENTS_CLI_LABELS_OUTPUT_H_
#define BERTHA_CLIENTS_CLI_LABELS_OUTPUT_H_

#include <memory>

#include "clients/cli/output.h"

namespace bertha::cli {

/// One line a text: best label, its score and a bar. Columns fit the first block of rows.
std::unique_ptr<RowWriter> MakeLabelsTable(TableStyle style);

/// Every label of each text, and where its time went: the form for a single text.
std::unique_ptr<RowWriter> MakeLabelsDetail(TableStyle style);

/// Members: label, score, scores; `logits` if `with_logits`. Label and score are null if the threshold left none.
std::unique_ptr<RowWriter> MakeLabelsJson(bool with_logits);

/// A header, then one record a text, ended by LF and quoted as in RFC 4180; `error` is the last field.
std::unique_ptr<RowWriter> MakeLabelsCsv();

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_LABELS_OUTPUT_H_
