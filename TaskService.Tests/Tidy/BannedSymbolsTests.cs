using System.Text.RegularExpressions;
using TaskService.Tests.Support;

namespace TaskService.Tests.Tidy;

/// <summary>The compiler refuses each symbol of the two lists of banned symbols, with what to use instead.</summary>
[Trait("Suite", "long")]
public sealed class BannedSymbolsTests : IDisposable
{
    // The projects of this repository are set up by the same files.
    private const string Project = """
        <Project>
          <PropertyGroup>
            <DirectoryPackagesPropsPath>ROOT/Directory.Packages.props</DirectoryPackagesPropsPath>
            <DirectoryBuildPropsPath>ROOT/Directory.Build.props</DirectoryBuildPropsPath>
          </PropertyGroup>
          <Import Project="Sdk.props" Sdk="Microsoft.NET.Sdk" />
          <PropertyGroup>
            <RestorePackagesWithLockFile>false</RestorePackagesWithLockFile>
            <AnalysisMode>None</AnalysisMode>
          </PropertyGroup>
          <ItemGroup>
            <PackageReference Include="Microsoft.CodeAnalysis.BannedApiAnalyzers" PrivateAssets="all" />
          </ItemGroup>
          <Import Project="Sdk.targets" Sdk="Microsoft.NET.Sdk" />
        </Project>
        """;

    private const string Code = """
        namespace Bad;

        internal static class Calls
        {
            public static void Block(Task task, Task<int> result, ValueTask<int> value)
            {
                Thread.Sleep(1);
                Thread.Sleep(TimeSpan.Zero);
                task.Wait();
                _ = result.Result;
                _ = value.Result;
                task.GetAwaiter().GetResult();
                _ = result.GetAwaiter().GetResult();
                new ValueTask(task).GetAwaiter().GetResult();
                _ = value.GetAwaiter().GetResult();
            }

            public static void Use(FileStream file)
            {
                _ = (DateTime.Now, DateTime.Today, DateTimeOffset.Now);
                _ = (Guid.NewGuid(), Guid.CreateVersion7(), Guid.CreateVersion7(DateTimeOffset.UtcNow));
                file.Flush(true);
                RandomAccess.FlushToDisk(file.SafeFileHandle);
                Environment.Exit(1);
                throw new NotImplementedException();
            }
        }
        """;

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task Each_banned_symbol_is_an_error_that_says_what_to_use_instead()
    {
        await File.WriteAllTextAsync(
            directory.File("Bad.csproj"), Project.Replace("ROOT", TestRoot.Path, StringComparison.Ordinal));
        await File.WriteAllTextAsync(directory.File("Calls.cs"), Code);

        var output = await DotnetCommand.AssertFailsAsync(directory.Path, "build", "Bad.csproj");

        var found = Regex.Matches(output, @"error RS0030: .* is banned in this project: (?<instead>.*) \(http")
            .Select(match => match.Groups["instead"].Value).ToHashSet();
        var lines = new[] { "BannedSymbols.txt", "BannedSymbols.Product.txt" }
            .SelectMany(file => File.ReadLines(TestRoot.File(file))).ToList();
        Assert.Superset(lines.Select(line => line.Split(';', 2)[1]).ToHashSet(), found);
        var places = Regex.Matches(output, @"Calls\.cs\(\d+,\d+\): error RS0030").Select(match => match.Value);
        Assert.Equal(lines.Count, places.Distinct().Count());
    }
}
