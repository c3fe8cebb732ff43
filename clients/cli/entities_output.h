// What `bertha tag` prints. Pure; rows must have Entities.
#ifndef BERTHA_CLIENTS_CLI_ENTITIES_OUTPUT_H_
#define BERTHA_CLIENTS_CLI_ENTITIES_OUTPUT_H_

#include <memory>

#include "clients/cli/output.h"

namespace bertha::cli {

/// Each text with its entities marked in it, as "[pad thai DISH]" or in colours of their kinds, and then a line for
/// each entity: label, score, where it stands in code points, text. Nothing in a text can drive the terminal.
std::unique_ptr<RowWriter> MakeEntitiesView(TableStyle style, bool single);

/// Member: entities, a list of {label, score, text, bytes: [begin, end], chars: [begin, end]}.
std::unique_ptr<RowWriter> MakeEntitiesJson();

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_ENTITIES_OUTPUT_H_
