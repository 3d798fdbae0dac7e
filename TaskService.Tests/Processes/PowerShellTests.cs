using TaskService.Tests.Support;

namespace TaskService.Tests.Processes;

/// <summary>
/// <c>run.ps1</c> in a real PowerShell. It is a tool of 200 MB, so that only these tests restore it.
/// </summary>
[Trait("Suite", "template")]
public sealed class PowerShellTests : IAsyncLifetime
{
    private const string Tools =
        """{ "version": 1, "isRoot": true, "tools": { "powershell": { "version": "7.6.9", "commands": ["pwsh"] } } }""";

    // Stands for what run.cs starts: a test must not build what it runs in.
    private const string Stub = """
        #!/bin/sh
        case "$1" in
          run) shift 4; [ "$1" = -c ] && exec "$SERVICE" "$@" ;;
        esac
        printf '[%s]\n' "$@"
        exit 42

        """;

    private readonly TemporaryDirectory directory = new();

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs setsid and a shell");
        Directory.CreateDirectory(directory.File(".config"));
        await File.WriteAllTextAsync(directory.File(".config/dotnet-tools.json"), Tools);
        await DotnetCommand.AssertRunsAsync(directory.Path, "tool", "restore");
        Directory.CreateDirectory(directory.File("bin"));
        await File.WriteAllTextAsync(directory.File("bin/dotnet"), Stub);
        if (!OperatingSystem.IsWindows())
        {
            var user = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
            File.SetUnixFileMode(directory.File("bin/dotnet"), user);
        }
    }

    public ValueTask DisposeAsync()
    {
        directory.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData]
    [InlineData("-h")]
    public async Task Help_is_shown(params string[] args)
    {
        using var shell = Start(args);
        Assert.Equal(0, await shell.ExitAsync());
        Assert.StartsWith("Usage: ", shell.Output.First(), StringComparison.Ordinal);
        Assert.Empty(shell.Errors);
    }

    [Theory]
    [InlineData("run.cs: unknown verb 'nonsense' (see help)", "nonsense")]
    [InlineData("run.cs: --filter needs a value", "test", "--filter")]
    public async Task What_is_wrong_is_one_line_and_exit_code_2(string problem, params string[] args)
    {
        using var shell = Start(args);
        Assert.Equal(2, await shell.ExitAsync());
        Assert.Equal([problem], shell.Errors);
    }

    [Fact]
    public async Task Arguments_and_the_exit_code_are_passed_on_as_they_are()
    {
        string[] args =
            ["*", "*.json", "-x:1.5", "--filter=a:b", "-y:", "", "a b", "\"q\"", "$HOME", "`n", "--", "-File"];
        using var shell = Start(["run", .. args]);
        Assert.Equal(42, await shell.ExitAsync());
        Assert.Equal(args.Select(arg => $"[{arg}]"), shell.Output);
        Assert.Empty(shell.Errors);
    }

    [Fact]
    public async Task Within_a_session_arguments_are_as_they_are_quoted_there()
    {
        var command = $"& '{TestRoot.File("run.ps1")}' run '*' --filter=a:b '-x:1.5' 'a b'; \"code $LASTEXITCODE\"";
        using var shell = StartShell("-Command", command);
        Assert.Equal(0, await shell.ExitAsync());
        Assert.Equal(["[*]", "[--filter=a:b]", "[-x:1.5]", "[a b]", "code 42"], shell.Output);
    }

    [Theory]
    [InlineData("Name~A|Name=*", "--filter", "Name~A|Name=*")]
    [InlineData("(Suite=long)&(Name~A)", "--suite", "long", "--filter", "Name~A")]
    public async Task Tests_are_filtered(string expected, params string[] args)
    {
        using var shell = Start(["test", .. args]);
        Assert.Equal(42, await shell.ExitAsync());
        Assert.Equal(["[--filter]", $"[{expected}]"], shell.Output.TakeLast(2));
    }

    [Fact]
    public async Task Ctrl_C_stops_the_service_in_order_and_all_that_started_it()
    {
        await File.WriteAllTextAsync(directory.File("c.yaml"), "task-db: { memory: }\n");
        using var shell = Start("run", "-c", directory.File("c.yaml"), "-p", "0");
        await shell.ListeningAsync();
        // A terminal sends it to each process of the group.
        Assert.True(ServiceProcess.TrySignal(-shell.Id, "INT"));
        Assert.Equal(0, await shell.ExitAsync());
        Assert.Contains(shell.Output, line => line.Contains("STOPPED", StringComparison.Ordinal));
        Assert.False(ServiceProcess.TrySignal(-shell.Id, "0"), "a process is left");
    }

    private ServiceProcess Start(params string[] args) => StartShell(["-File", TestRoot.File("run.ps1"), .. args]);

    // In the directory of the manifest, where "dotnet pwsh" is known.
    private ServiceProcess StartShell(params string[] args) => ServiceProcess.StartGroup(
        directory.Path,
        [
            .. DotnetCommand.Variables,
            ("PATH", $"{directory.File("bin")}:{Environment.GetEnvironmentVariable("PATH")}"),
        ],
        [DotnetCommand.Path, "pwsh", "-NoProfile", .. args]);
}
