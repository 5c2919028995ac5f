/*
 * Executing the file that was checked, and no other that has taken its place meanwhile.
 */
#ifndef OFFHEAP_EXECUTE_H
#define OFFHEAP_EXECUTE_H

/* What lib/run/exec.ts says of the file that it has checked, as doubles in this order. */
enum checked { DEVICE, INODE, SIZE, MODE, CAPABILITIES, PROGRAM, CHECKED_FIELDS };

/*
 * Becomes the file at a path; returns an error number. ESTALE says that another file is there by now.
 *
 * A program is executed by its descriptor: nothing can be put in its place any more. A script goes by
 * its path, as its interpreter has to open it again; between the comparison and execve there is a
 * moment. NULL for `checked` compares nothing.
 */
int execute(const char *path, char *const argv[], char *const envp[], const double *checked);

/*
 * The kernel names a program that was executed by its descriptor after its file, or, before 6.14, after
 * the descriptor's number: gives it the name that its path would have given it.
 */
void name_as_executed(void);

#endif
