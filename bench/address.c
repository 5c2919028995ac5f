/* malloc and free with addresses as doubles, for address.bench.ts. */
#include <stdint.h>
#include <stdlib.h>

double malloc_f64(double size) { return (double)(uintptr_t)malloc((size_t)size); }
void free_f64(double address) { free((void *)(uintptr_t)address); }
