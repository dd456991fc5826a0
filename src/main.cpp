#include "nfsteer/cli.hpp"

int main(int argc, char** argv) {
  return nfsteer::cli_main(argc, argv);
}
