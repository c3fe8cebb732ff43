// What `bertha embed` prints. Pure; rows must have Vectors.
#ifndef BERTHA_CLIENTS_CLI_VECTORS_OUTPUT_H_
#define BERTHA_CLIENTS_CLI_VECTORS_OUTPUT_H_

#include <memory>

#include "clients/cli/output.h"

namespace bertha::cli {

/// One line a text: how many numbers its vector has, its norm, and the first of them; and last how similar the texts
/// are to each other (of many only the first ones).
std::unique_ptr<RowWriter> MakeVectorsTable(TableStyle style);

/// Each text with its vector, or with a line for the vector of each token.
std::unique_ptr<RowWriter> MakeVectorsDetail(TableStyle style, bool single);

/// Member: vector; or token_vectors, a list of {token, bytes: [begin, end], chars: [begin, end], vector}.
std::unique_ptr<RowWriter> MakeVectorsJson();

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_VECTORS_OUTPUT_H_
