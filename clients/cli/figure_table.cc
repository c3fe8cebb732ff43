#include "clients/cli/figure_table.h"

#include <algorithm>

#include "clients/cli/text.h"

namespace bertha::cli {
namespace {

constexpr size_t kMaxCell = 60;

}  // namespace

std::string FigureTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> fitted = rows;
  std::vector<size_t> widths(rows.empty() ? 0 : rows.front().size());
  for (auto& row : fitted) {
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = FitToWidth(row[i], kMaxCell);
      widths[i] = std::max(widths[i], DisplayWidth(row[i]));
    }
  }
  std::string table;
  for (const auto& row : fitted) {
    std::string line = PadRight(row[0], widths[0]);
    for (size_t i = 1; i < row.size(); ++i) line += "  " + PadLeft(row[i], widths[i]);
    line.resize(line.find_last_not_of(' ') + 1);
    table += line + "\n";
  }
  return table;
}

}  // namespace bertha::cli
