// A table of figures for the terminal. Pure.
#ifndef BERTHA_CLIENTS_CLI_FIGURE_TABLE_H_
#define BERTHA_CLIENTS_CLI_FIGURE_TABLE_H_

#include <string>
#include <vector>

namespace bertha::cli {

/// Names to the left, figures to the right, each column as wide as it must be. Every row has as many cells as the
/// first.
std::string FigureTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_FIGURE_TABLE_H_
