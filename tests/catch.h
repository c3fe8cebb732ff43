// The one place that knows which Catch2 is installed: v2 (Debian 12) or v3 (newer distributions).
#ifndef BERTHA_TESTS_CATCH_H_
#define BERTHA_TESTS_CATCH_H_

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

#endif  // BERTHA_TESTS_CATCH_H_
