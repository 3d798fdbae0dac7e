#!/usr/bin/env pwsh
# Everything is in run.cs, so that PowerShell is a convenience and nothing depends on it.
$ErrorActionPreference = 'Stop'
# Started by a shell (pwsh -File run.ps1 ...) the arguments come from the command line of the process, because in $args
# PowerShell has split -x:1.5 at the colon already. Within a session $args is right.
$words = $args
if (-not $MyInvocation.Line) {
    $commandLine = [Environment]::GetCommandLineArgs()
    $script = [Array]::FindIndex($commandLine, [Predicate[string]] { param($word) $word -like '*run.ps1' })
    $words = $commandLine | Select-Object -Skip ($script + 1)
}
# Not "& dotnet", which would replace * by the names of files.
$start = [Diagnostics.ProcessStartInfo]::new('dotnet')
@((Join-Path $PSScriptRoot 'run.cs'), '--') + @($words) | ForEach-Object { $start.ArgumentList.Add($_) }
$process = [Diagnostics.Process]::Start($start)
$process.WaitForExit()
exit $process.ExitCode
