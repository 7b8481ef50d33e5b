/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Version of this product. Only this file is compiled again when the commit changes. */
#include "util/version.h"

const char version_number[] = VERSION;
const char version_commit[] = COMMIT;
