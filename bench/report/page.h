// The pages of the reports: one HTML file each, complete but for its data. Pure.
#ifndef BERTHA_BENCH_REPORT_PAGE_H_
#define BERTHA_BENCH_REPORT_PAGE_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/string_view.h"

namespace bertha::report {

/// The page `name` ("load.html", "eval.html") with `data` in it. Nothing in `data` can end the element in which it
/// stands; what is not UTF-8 becomes U+FFFD.
std::string RenderPage(absl::string_view name, const nlohmann::json& data);

}  // namespace bertha::report

#endif  // BERTHA_BENCH_REPORT_PAGE_H_
