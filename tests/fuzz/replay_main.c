/* Runs a fuzzer's entry point over the files named on the command line: the corpus as a test, under any compiler. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

enum { INPUT_MAX = 1 << 16 };

int main(int argc, char **argv)
{
    static uint8_t input[INPUT_MAX];
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) {
            perror(argv[i]);
            return EXIT_FAILURE;
        }
        size_t size = fread(input, 1, sizeof input, file);
        fclose(file);
        uint8_t *exact = malloc(size ? size : 1); /* so that a read past its end shows */
        for (size_t k = 0; k < size; k++)
            exact[k] = input[k];
        LLVMFuzzerTestOneInput(exact, size);
        free(exact);
    }
    printf("%d inputs\n", argc - 1);
    return argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
