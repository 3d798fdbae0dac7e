#!/usr/bin/env pwsh
# Everything is in run.cs, so that PowerShell is a convenience and nothing depends on it.
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $false
& dotnet (Join-Path $PSScriptRoot 'run.cs') -- @args
exit $LASTEXITCODE
